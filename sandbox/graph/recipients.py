"""What holds addresses beside users: groups, contacts, and what was deleted within thirty days."""

from __future__ import annotations

from typing import Any

from sandbox.directory import Contact, Directory
from sandbox.graph.asking import Answer, Ask, Served, demand, serve
from sandbox.graph.listing import listed
from sandbox.graph.messages import graph_time
from sandbox.graph.users import READ_USERS, group_json, person_json

_READ_GROUPS = (
    "GroupMember.Read.All",
    "Group.Read.All",
    "Group.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
)
_READ_CONTACTS = ("OrgContact.Read.All", "Directory.Read.All", "Directory.ReadWrite.All")


def contact_json(contact: Contact) -> dict[str, Any]:
    """Return an organisational contact."""
    return {
        "id": contact.id,
        "deletedDateTime": None,
        "displayName": contact.display_name,
        "mail": contact.mail,
        "mailNickname": contact.display_name.replace(" ", ""),
        "proxyAddresses": list(contact.proxy_addresses),
    }


class Recipients:
    """Handlers of groups, contacts and deleted objects."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    def routes(self) -> list[Served]:
        """Return what is served here."""
        return [
            serve("GET", "/groups", self._groups),
            serve("GET", "/contacts", self._contacts),
            serve("GET", "/directory/deletedItems/user", self._deleted_people),
            serve("GET", "/directory/deletedItems/group", self._deleted_groups),
        ]

    def _groups(self, ask: Ask) -> Answer:
        demand(ask.bearer, *_READ_GROUPS, directory=True)
        groups = [group_json(group) for group in self._directory.groups.values()]
        return listed(ask, groups, "groups")

    def _contacts(self, ask: Ask) -> Answer:
        demand(ask.bearer, *_READ_CONTACTS, directory=True)
        contacts = [contact_json(contact) for contact in self._directory.contacts.values()]
        return listed(ask, contacts, "contacts")

    def _deleted_people(self, ask: Ask) -> Answer:
        demand(ask.bearer, *READ_USERS, directory=True)
        people = [person_json(person) for person in self._directory.deleted_people.values()]
        return listed(ask, _deleted(ask, people), "directory/deletedItems/microsoft.graph.user")

    def _deleted_groups(self, ask: Ask) -> Answer:
        demand(ask.bearer, *_READ_GROUPS, directory=True)
        groups = [group_json(group) for group in self._directory.deleted_groups.values()]
        return listed(ask, _deleted(ask, groups), "directory/deletedItems/microsoft.graph.group")


def _deleted(ask: Ask, objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    moment = graph_time(ask.now)
    return [{**one, "deletedDateTime": moment} for one in objects]
