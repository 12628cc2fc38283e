"""A tenant that a file describes, such as `webhook_examples/tenant.yaml`: who exists, which rows.

Rows stand there in the column names of the Web API, people in those of Graph. What a row does not
say is as Dataverse fills it in.
"""

from __future__ import annotations

import secrets
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import yaml

from sandbox import people
from sandbox.dataverse.context import Organization
from sandbox.dataverse.organization import Dataverse
from sandbox.dataverse.privileges import GLOBAL
from sandbox.dataverse.rows import Ref
from sandbox.directory import Application, Directory, DirectoryRole, Person
from sandbox.graph.mailboxes import Exchange
from sandbox.people import stable_id
from sandbox.tenant import ALL_PRIVILEGES, GUARD_GRAPH_ROLES, furnish_events

_GUARD_NAME: Final = "# Mailbox Guard"
_SUPPORT_ACCESS: Final = 3
# Where a lookup of a row leads when the file does not say it.
_LOOKUPS: Final = {
    "ownerid": "systemuser",
    "regardingobjectid": "systemuser",
    "emailserverprofile": "emailserverprofile",
}
_SETS: Final = {"queues": "queue", "mailboxes": "mailbox"}


class DescribedTenant:
    """The directory and the organisation of one file."""

    def __init__(self, file: Path) -> None:
        """Read the file. Raises OSError, yaml.YAMLError, KeyError for one that is no tenant."""
        self._all: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
        self._rows: dict[str, Any] = self._all["dataverse"]
        self._organization: dict[str, Any] = self._all["organization"]
        self._unit = Ref("businessunit", self._organization["business_unit"])
        guard = next(one for one in self._rows["systemusers"] if one["fullname"] == _GUARD_NAME)
        self.guard_client_id: str = guard["applicationid"]
        self.approver_role_id: str = self._all["delegated_approver_role"]

    @property
    def sync_client_id(self) -> None:
        """There is no second application: nothing is synced for such a tenant."""
        return None

    def directory(self) -> Directory:
        """Return the people, their directory roles, and the guard's application."""
        found = Directory(people.TENANT_ID, people.DOMAIN)
        entra = self._all["entra"]
        held: dict[str, set[str]] = {}
        for object_id, roles in entra["directory_roles"].items():
            for role in roles:
                template, name = role["roleTemplateId"], role["displayName"]
                role_id = stable_id(f"directoryrole/{template}")
                found.roles[role_id] = DirectoryRole(role_id, template, name, name)
                held.setdefault(object_id, set()).add(template)
        for user in entra["users"]:
            found.people[user["id"]] = Person(
                id=user["id"],
                upn=user["userPrincipalName"],
                display_name=user.get("displayName", user["userPrincipalName"]),
                mail=user["mail"],
                proxy_addresses=list(user["proxyAddresses"]),
                account_enabled=user["accountEnabled"],
                user_type=user["userType"],
                # A shared mailbox needs no licence.
                has_exchange_plan=user.get("userPurpose", "user") == "user",
                role_template_ids=held.get(user["id"], set()),
            )
        for client_id, name, roles in (
            (self.guard_client_id, "Mailbox Guard", GUARD_GRAPH_ROLES),
            (people.PUBLIC_CLIENT_ID, "Sample client", ()),
        ):
            found.applications[client_id] = Application(
                client_id=client_id,
                object_id=stable_id(f"serviceprincipal/{client_id}"),
                display_name=name,
                secrets={secrets.token_urlsafe(24)},
                graph_roles=set(roles),
            )
        return found

    def organization(self) -> Organization:
        """Return what the organisation calls itself."""
        return Organization(
            id=self._organization["id"],
            unique_name=self._organization["name"],
            domain_name=self._organization["host"],
            business_unit_id=self._unit.id,
        )

    def furnish(self, dataverse: Dataverse) -> None:
        """Fill an empty organisation with the rows of the file."""
        about = self._organization
        dataverse.insert("businessunit", {"businessunitid": self._unit.id, "name": "contoso"})
        dataverse.insert("organization", {"organizationid": about["id"], "name": about["name"]})
        self._furnish_roles(dataverse)
        for user in self._rows["systemusers"]:
            values = {name: None if value == "" else value for name, value in user.items()}
            dataverse.insert("systemuser", {**values, "businessunitid": self._unit})
            if user["accessmode"] == _SUPPORT_ACCESS:
                dataverse.system_user_id = user["systemuserid"]
        for user_id, roles in self._rows["user_roles"].items():
            for role_id in roles:
                dataverse.insert("systemuserroles", {"systemuserid": user_id, "roleid": role_id})
        self._furnish_teams(dataverse)
        for profile in self._rows["emailserverprofiles"]:
            owner = Ref("systemuser", dataverse.system_user_id)
            dataverse.insert("emailserverprofile", {**profile, "ownerid": owner})
        for name, table in _SETS.items():
            for row in self._rows[name]:
                dataverse.insert(table, {key: _value(key, value) for key, value in row.items()})
        furnish_events(dataverse)

    def furnish_mail(self, exchange: Exchange, now: datetime) -> None:
        """Create an empty mailbox for each person, of the purpose that the file names."""
        for user in self._all["entra"]["users"]:
            exchange.create(user["id"], user["mail"], purpose=user.get("userPurpose", "user"))

    def _furnish_roles(self, dataverse: Dataverse) -> None:
        for name in ALL_PRIVILEGES:
            identity = stable_id(f"privilege/{name}")
            dataverse.insert("privilege", {"privilegeid": identity, "name": name})
        for role in self._rows["roles"]:
            template = role["roletemplateid"]
            if template is not None:
                dataverse.insert("roletemplate", {"roletemplateid": template, "name": role["name"]})
            values = {
                "roleid": role["roleid"],
                "name": role["name"],
                "businessunitid": self._unit,
                "parentrootroleid": Ref("role", role["roleid"]),
                "roletemplateid": Ref("roletemplate", template) if template else None,
            }
            dataverse.insert("role", values)
            held = ALL_PRIVILEGES if template is not None else role["privileges"]
            for name in held:
                privilege = {
                    "roleid": role["roleid"],
                    "privilegeid": stable_id(f"privilege/{name}"),
                    "privilegedepthmask": GLOBAL,
                }
                dataverse.insert("roleprivileges", privilege)

    def _furnish_teams(self, dataverse: Dataverse) -> None:
        for team in self._rows["teams"]:
            named = {"teamid": team["teamid"], "name": team["name"], "businessunitid": self._unit}
            dataverse.insert("team", named)
            for member in team["members"]:
                dataverse.insert(
                    "teammembership", {"teamid": team["teamid"], "systemuserid": member}
                )
            for role_id in team["roles"]:
                dataverse.insert("teamroles", {"teamid": team["teamid"], "roleid": role_id})


def _value(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return Ref(value["type"], value["id"])
    return Ref(_LOOKUPS[name], value) if name in _LOOKUPS and value is not None else value
