"""Claims that Entra signed become the principal they tell of; no claim is believed twice over.

Source: learn.microsoft.com/entra/identity-platform/id-token-claims-reference and
access-token-claims-reference: `oid` names a person for good, names and addresses may change hands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from console.sign_in.refusals import SignInRefused
from kernel.principal import AppRole, Principal, Proof

MOST_NAME = 200
_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_NAMES = ("preferred_username", "upn", "name")
_ROLES = {role.value: role for role in AppRole}


def principal_of(claims: Mapping[str, Any]) -> Principal:
    """Return the person of verified claims with their app roles.

    Raises SignInRefused for claims of an application, or of a person without any app role.
    """
    object_id = claims.get("oid")
    if not isinstance(object_id, str) or not _GUID.fullmatch(object_id):
        raise SignInRefused("The token names no object of Entra, so it proves nobody.")
    if claims.get("idtyp") == "app":
        raise SignInRefused("The token is an application's; only people act here.")
    name = next((shown for one in _NAMES if (shown := _shown(claims.get(one)))), object_id)
    given = claims.get("roles")
    roles = frozenset(
        _ROLES[one] for one in (given if isinstance(given, list) else ()) if one in _ROLES
    )
    if not roles:
        raise SignInRefused(
            f"{name} is signed in, but has none of the app roles {', '.join(_ROLES)}.",
            hint="Ask whoever manages Entra to assign one, under Enterprise applications, this "
            "application, Users and groups.",
        )
    return Principal(name, Proof.ENTRA, roles, object_id.lower())


def _shown(value: Any) -> str | None:
    """Return a name on one line and of bearable length; None for what is none."""
    if not isinstance(value, str):
        return None
    name = " ".join("".join(one if one.isprintable() else " " for one in value).split())
    return name[:MOST_NAME] or None
