"""Who may do what: privileges from roles, held directly or through teams."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.dataverse.faults import lacks_privilege
from sandbox.dataverse.rows import Ref, Row, View

SYSTEM_ADMINISTRATOR_TEMPLATE = "627090ff-40a3-4053-8790-584edc5be201"
APPROVE_ADDRESSES = "prvApproveRejectEmailAddress"
ACT_ON_BEHALF = "prvActOnBehalfOfAnotherUser"
SEND_NOTIFICATION = "prvSendAppNotification"
BYPASS = "prvBypassCustomBusinessLogic"
BYPASS_PLUGINS = "prvBypassCustomPlugins"

BASIC, LOCAL, DEEP, GLOBAL = 1, 2, 4, 8
DEPTH_NAMES = {BASIC: "Basic", LOCAL: "Local", DEEP: "Deep", GLOBAL: "Global"}

_PRIVILEGE_TABLES = {
    "systemuser": "User",
    "mailbox": "Mailbox",
    "queue": "Queue",
    "email": "Activity",
    "activityparty": "Activity",
    "activitymimeattachment": "Activity",
    "contact": "Contact",
    "account": "Account",
    "organization": "Organization",
    "emailserverprofile": "EmailServerProfile",
    "serviceendpoint": "ServiceEndpoint",
    "sdkmessageprocessingstep": "SdkMessageProcessingStep",
    "sdkmessageprocessingstepimage": "SdkMessageProcessingStepImage",
    "appnotification": "AppNotification",
    "usersettings": "UserSettings",
}


@dataclass(frozen=True, slots=True)
class Held:
    """A privilege and how far it reaches."""

    id: str
    name: str
    depth: int


def privilege_name(verb: str, table: str) -> str:
    """Return the privilege that a verb on a table needs."""
    return f"prv{verb}{_PRIVILEGE_TABLES.get(table, 'Customization')}"


def roles_of(view: View, user_id: str) -> list[Row]:
    """Return the roles that a user holds, direct and through teams."""
    ids = {row["roleid"] for row in view.all("systemuserroles") if row["systemuserid"] == user_id}
    teams = {row["teamid"] for row in view.all("teammembership") if row["systemuserid"] == user_id}
    ids |= {row["roleid"] for row in view.all("teamroles") if row["teamid"] in teams}
    return [row for row in view.all("role") if row["roleid"] in ids]


def held_by(view: View, user_id: str) -> dict[str, Held]:
    """Return every privilege of a user by name, at its greatest depth."""
    names = {row["privilegeid"]: row["name"] for row in view.all("privilege")}
    roles = {role["roleid"] for role in roles_of(view, user_id)}
    found: dict[str, Held] = {}
    for row in view.all("roleprivileges"):
        if row["roleid"] in roles:
            name, depth = names[row["privilegeid"]], row["privilegedepthmask"]
            if name not in found or found[name].depth < depth:
                found[name] = Held(row["privilegeid"], name, depth)
    return found


def is_system_administrator(view: View, user_id: str) -> bool:
    """Tell whether a user holds System Administrator, known by its template."""
    template = Ref("roletemplate", SYSTEM_ADMINISTRATOR_TEMPLATE)
    return any(role["roletemplateid"] == template for role in roles_of(view, user_id))


def holds(view: View, user_id: str, name: str) -> bool:
    """Tell whether a user holds a privilege at any depth."""
    return name in held_by(view, user_id)


def demand(view: View, user_id: str, verb: str, table: str, *, row: Row | None) -> None:
    """Raise Fault unless the user may do this to the row; at Basic depth only to what is theirs."""
    name = privilege_name(verb, table)
    held = held_by(view, user_id).get(name)
    if held is None or (row is not None and held.depth < LOCAL and not _owns(user_id, table, row)):
        raise lacks_privilege(user_id, name, table)


def _owns(user_id: str, table: str, row: Row) -> bool:
    if table == "systemuser":
        return bool(row["systemuserid"] == user_id)
    mine = Ref("systemuser", user_id)
    return row.get("ownerid") == mine or row.get("regardingobjectid") == mine
