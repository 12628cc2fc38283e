"""Functions of the Web API: who am I, what may a user do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sandbox.dataverse.context import Organization
from sandbox.dataverse.faults import BAD_QUERY, Fault
from sandbox.dataverse.operation import Caller
from sandbox.dataverse.privileges import DEPTH_NAMES, Held, held_by, roles_of
from sandbox.dataverse.rows import View
from sandbox.directory import Directory

_CALL = re.compile(r"Microsoft\.Dynamics\.CRM\.(\w+)(?:\((.*)\))?$")
_ARGUMENT = re.compile(r"(\w+)=('(?:[^']|'')*'|@\w+|[^,]+)")


def called(segment: str, options: Mapping[str, str]) -> tuple[str, dict[str, str]] | None:
    """Return function name and arguments of a path segment; aliases come from the query."""
    match = _CALL.match(segment)
    if match is None:
        return None
    arguments = {}
    for name, value in _ARGUMENT.findall(match.group(2) or ""):
        text = options.get(value, "") if value.startswith("@") else value
        arguments[name] = text.strip("'").replace("''", "'")
    return match.group(1), arguments


def who_am_i(caller: Caller, organization: Organization, base: str) -> dict[str, Any]:
    """Return the ids of caller, business unit and organisation."""
    return {
        "@odata.context": f"{base}/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse",
        "BusinessUnitId": organization.business_unit_id,
        "UserId": caller.user_id,
        "OrganizationId": organization.id,
    }


def _privileges(
    held: list[Held], organization: Organization, base: str, name: str
) -> dict[str, Any]:
    return {
        "@odata.context": f"{base}/$metadata#Microsoft.Dynamics.CRM.{name}Response",
        "RolePrivileges": [
            {
                "Depth": DEPTH_NAMES[one.depth],
                "PrivilegeId": one.id,
                "BusinessUnitId": organization.business_unit_id,
                "PrivilegeName": one.name,
                "RecordFilterId": "00000000-0000-0000-0000-000000000000",
                "RecordFilterUniqueName": "",
            }
            for one in held
        ],
    }


def call(
    name: str,
    arguments: Mapping[str, str],
    *,
    view: View,
    user_id: str,
    organization: Organization,
    directory: Directory,
    base: str,
) -> dict[str, Any]:
    """Return the answer of a function bound to a user. Raises Fault for an unknown one."""
    if name == "RetrieveUserPrivileges":
        held = list(held_by(view, user_id).values())
        return _privileges(held, organization, base, name)
    if name == "RetrieveUserPrivilegeByPrivilegeName":
        one = held_by(view, user_id).get(arguments.get("PrivilegeName", ""))
        return _privileges([one] if one else [], organization, base, name)
    if name == "RetrieveAadUserRoles":
        return {
            "@odata.context": f"{base}/$metadata#roles",
            "value": [
                {"roleid": role["roleid"], "name": role["name"]} for role in roles_of(view, user_id)
            ],
        }
    raise Fault(404, BAD_QUERY, f"Resource not found for the segment '{name}'.")
