"""What Entra and Dataverse tell of an organisation: domains, server profiles, who may approve."""

from __future__ import annotations

from dataclasses import dataclass

from cloud.dataverse import Dataverse
from cloud.tenant import Tenant
from guard.facts.actor import DELEGATED_APPROVER
from kernel.errors import GuardError

# Whoever has one of these may approve, by the ids of their templates, equal in all tenants.
APPROVING_ROLES = (
    "62e90394-69f5-4237-9190-012177145e10",
    "29232cdf-9323-42fd-ade2-1d097af3e4de",
)
_TEMPLATE = "_roletemplateid_value@OData.Community.Display.V1.FormattedValue"
_ACTIVE = "statecode eq 0"


@dataclass(frozen=True, slots=True)
class Learnt:
    """What was told; what was not is empty, and `unanswered` says why."""

    domains: tuple[str, ...] = ()
    profiles: tuple[tuple[str, str], ...] = ()
    approver_role_id: str = ""
    approving_roles: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()


async def learn(tenant: Tenant, dataverse: Dataverse) -> Learnt:
    """Ask both. Roles are known by ids and templates, never by a name that anybody can give."""
    told: list[str] = []
    domains: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    profiles: tuple[tuple[str, str], ...] = ()
    approver = ""
    try:
        domains = await tenant.domains(reason="init: read the tenant's domains")
    except GuardError as error:
        told.append(f"The domains are not known: {error.message}")
    try:
        templates = await tenant.role_templates(reason="init: read who may approve")
        roles = tuple(templates[one] for one in APPROVING_ROLES if one in templates)
    except GuardError as error:
        told.append(f"Whether the roles that approve are there is not known: {error.message}")
    try:
        profiles = await _profiles(dataverse)
        approver = await _approver(dataverse)
    except GuardError as error:
        told.append(f"Server profiles and roles of Dataverse are not known: {error.message}")
    return Learnt(domains, profiles, approver, roles, tuple(told))


async def _profiles(dataverse: Dataverse) -> tuple[tuple[str, str], ...]:
    rows = await dataverse.rows(
        "emailserverprofiles",
        select=("emailserverprofileid", "name"),
        filter=_ACTIVE,
        reason="init: read the server profiles",
    )
    found = (
        (str(row.get("emailserverprofileid") or ""), str(row.get("name") or "")) for row in rows
    )
    return tuple(sorted((one.lower(), name) for one, name in found if one))


async def _approver(dataverse: Dataverse) -> str:
    """Return the id of the root role that was made from the platform's template; empty for none."""
    rows = await dataverse.rows(
        "roles",
        select=("roleid", "_parentrootroleid_value", "_roletemplateid_value"),
        reason="init: read the role Delegated Mailbox Approver",
    )
    made = [row for row in rows if row.get(_TEMPLATE) == DELEGATED_APPROVER]
    roots = {str(row.get("_parentrootroleid_value") or row.get("roleid")).lower() for row in made}
    return next(iter(roots)) if len(roots) == 1 else ""
