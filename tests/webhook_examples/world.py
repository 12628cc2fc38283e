"""The tenant of the examples inside the guard's shipped twins: people, roles, rows."""

from __future__ import annotations

from typing import Any

from guard.columns.table import TABLES
from guard.ports.directory import MemoryDirectory, person_from
from guard.ports.rows import HeldRole, MemoryRows, Myself, UserRow
from rules.model.change import Value
from tests.webhook_examples.examples import tenant

GUARD_USER = "a1000000-0000-4000-8000-000000000011"
_SETS = {"systemuser": "systemusers", "queue": "queues", "mailbox": "mailboxes"}


def a_directory() -> MemoryDirectory:
    """Entra as `tenant.yaml` describes it."""
    entra = tenant()["entra"]
    directory = MemoryDirectory(person_from(user) for user in entra["users"])
    directory.purposes = {user["id"]: user.get("userPurpose", "user") for user in entra["users"]}
    for object_id, roles in entra["directory_roles"].items():
        directory.roles[object_id] = tuple(role["roleTemplateId"] for role in roles)
    return directory


def _user(row: dict[str, Any]) -> UserRow:
    return UserRow(
        id=row["systemuserid"],
        upn=row["domainname"] or None,
        object_id=row["azureactivedirectoryobjectid"],
        application_id=row.get("applicationid"),
        access_mode=row["accessmode"],
    )


def _columns(table: str, row: dict[str, Any]) -> dict[str, Value]:
    """The guarded columns of a row under their flat names."""
    columns: dict[str, Value] = {}
    for name, kind in TABLES[table].columns.items():
        value = row.get(name)
        if kind != "lookup":
            columns[name] = value
        elif isinstance(value, dict):
            columns |= {f"{name}.id": value["id"], f"{name}.type": value["type"]}
        else:
            target = "emailserverprofile" if name == "emailserverprofile" else "systemuser"
            columns |= {f"{name}.id": value, f"{name}.type": target if value else None}
    return columns


def rows() -> MemoryRows:
    """Dataverse as `tenant.yaml` describes it."""
    data = tenant()["dataverse"]
    held = {
        role["roleid"]: HeldRole(role["roleid"], role["name"], role["roletemplateid"])
        for role in data["roles"]
    }
    privileges = {role["roleid"]: set(role["privileges"]) for role in data["roles"]}
    twin = MemoryRows(
        identity=Myself(organization_id=tenant()["organization"]["id"], user_id=GUARD_USER),
        users={row["systemuserid"]: _user(row) for row in data["systemusers"]},
        roles={user: [held[one] for one in ids] for user, ids in data["user_roles"].items()},
    )
    for team in data["teams"]:
        for member in team["members"]:
            twin.team_roles.setdefault(member, []).extend(held[one] for one in team["roles"])
    for user in twin.users:
        carried = [*twin.roles.get(user, ()), *twin.team_roles.get(user, ())]
        twin.privileges[user] = set().union(*(privileges[role.role_id] for role in carried))
    for table, name in _SETS.items():
        for row in data[name]:
            twin.put(table, row[TABLES[table].key], **_columns(table, row))
    return twin
