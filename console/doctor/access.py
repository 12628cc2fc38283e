"""The access of our applications to Microsoft Graph, permission by permission: pure.

Each *use* is something that Mailbox Guard does, with the permissions that allow it, the narrowest
first. What serves no use is too much. Source: reference of permissions in the Graph documentation.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kernel.words import DocumentedWord


class Purpose(DocumentedWord):
    """What an identity is for."""

    GUARDING = "guarding", "Looking up whose an address is, and who may approve."
    PURPOSES = "mailbox-purposes", "The loaded policies ask what a mailbox is for."
    READING = "reading", "Bringing the mail of approved mailboxes into Dataverse."
    MAILING = "mailing", "Telling people by mail why their change was refused."


@dataclass(frozen=True, slots=True)
class Use:
    """Something that is done by permission: by any of `allowed_by`, the narrowest first.

    `wider` allow it as well, and more than Mailbox Guard does. `is_scoped` says that Exchange may
    allow it for some mailboxes, which no token tells.
    """

    purpose: Purpose
    why: str
    without: str
    allowed_by: tuple[str, ...]
    wider: tuple[str, ...] = ()
    is_scoped: bool = False


USES = (
    Use(
        Purpose.GUARDING,
        "To read who an actor or owner is, and which user holds an address.",
        "every rule that asks for an owner, an actor or the holder of an address errs, which "
        "rejects; nothing is granted",
        ("User.Read.All", "Directory.Read.All"),
        wider=("User.ReadWrite.All", "Directory.ReadWrite.All"),
    ),
    Use(
        Purpose.GUARDING,
        "To read which directory roles an actor has: Exchange and Global Administrators may "
        "approve.",
        "nobody counts as a qualified approver by a directory role",
        ("RoleManagement.Read.Directory", "Directory.Read.All"),
        wider=("RoleManagement.ReadWrite.Directory", "Directory.ReadWrite.All"),
    ),
    Use(
        Purpose.GUARDING,
        "To see distribution lists and Microsoft 365 groups that hold an address.",
        "an address that a group holds as well looks like one person's; its approval errs",
        ("GroupMember.Read.All", "Group.Read.All", "Directory.Read.All"),
        wider=("Group.ReadWrite.All", "Directory.ReadWrite.All"),
    ),
    Use(
        Purpose.GUARDING,
        "To see contacts that hold an address.",
        "an address that a contact holds as well looks like one person's; its approval errs",
        ("OrgContact.Read.All", "Directory.Read.All"),
        wider=("Directory.ReadWrite.All",),
    ),
    Use(
        Purpose.PURPOSES,
        "To read what a mailbox is for: a person, a shared mailbox, a room.",
        "a shared mailbox cannot be told from a person's, and rules that ask err",
        ("MailboxSettings.Read",),
        wider=("MailboxSettings.ReadWrite",),
        is_scoped=True,
    ),
    Use(
        Purpose.READING,
        "To read the mail of approved mailboxes.",
        "no mail is brought into Dataverse",
        ("Mail.Read",),
        wider=("Mail.ReadWrite",),
        is_scoped=True,
    ),
    Use(
        Purpose.MAILING,
        "To send the reason of a refusal from the configured mailbox.",
        "reasons reach people by the other ways alone",
        ("Mail.Send",),
        is_scoped=True,
    ),
)

# What whoever holds the token could do with it, Mailbox Guard's own restraint set aside.
_REACHES: Mapping[str, str] = {
    "User.Read.All": "every profile of the tenant",
    "Directory.Read.All": "the whole directory, read only",
    "RoleManagement.Read.Directory": "who holds which directory role",
    "GroupMember.Read.All": "names and members of every group",
    "Group.Read.All": "every group with its calendar, conversations and files",
    "OrgContact.Read.All": "every contact of the address book",
    "MailboxSettings.Read": "time zone, language and automatic replies of every mailbox",
    "MailboxSettings.ReadWrite": "the settings of every mailbox, to change them",
    "Mail.ReadBasic.All": "sender, recipients and subject of all mail of everybody",
    "Mail.Read": "all mail of everybody",
    "Mail.ReadWrite": "all mail of everybody, to read, change and delete it",
    "Mail.Send": "sending mail as anybody",
    "Calendars.Read": "the calendars of everybody",
    "Calendars.ReadWrite": "the calendars of everybody, to change them",
    "Contacts.Read": "the contacts of everybody",
    "Contacts.ReadWrite": "the contacts of everybody, to change them",
    "Tasks.Read.All": "the tasks of everybody",
    "Tasks.ReadWrite.All": "the tasks of everybody, to change them",
    "Application.Read.All": "every app registration, read only",
    "AuditLogsQuery-Exchange.Read.All": "who did what in Exchange",
    "Directory.ReadWrite.All": "the whole directory, to change it",
    "User.ReadWrite.All": "every profile, to change it",
    "Group.ReadWrite.All": "every group, to change it",
    "Application.ReadWrite.All": "every application, and so whatever any of them may do",
    "AppRoleAssignment.ReadWrite.All": "giving itself every permission there is",
    "RoleManagement.ReadWrite.Directory": "making anybody Global Administrator",
    "full_access_as_app": "everything in every mailbox",
}
_UNLISTED = "what Microsoft's reference of permissions says of it"
# A grave one hands over mail, or lets the token make itself more powerful.
_MAIL = ("Mail.", "MailboxItem.", "MailboxFolder.", "Calendars.", "Contacts.", "Tasks.")
_GRAVE_WORDS = ("ReadWrite", "full_access", ".Send", "FullControl", "Manage")
MAILBOX_PREFIXES = ("Mail.", "Calendars.", "Contacts.", "MailboxItem.", "MailboxFolder.")


@dataclass(frozen=True, slots=True)
class AccessLine:
    """One permission of one identity: whether it is held and needed, why, and what it reaches."""

    identity: str
    permission: str
    is_held: bool
    is_needed: bool
    why: str
    reaches: str
    without: str

    @property
    def is_too_much(self) -> bool:
        """Return whether it is held for nothing."""
        return self.is_held and not self.is_needed

    @property
    def is_grave(self) -> bool:
        """Return whether whoever holds the token reads people's mail, or changes what is there."""
        return is_grave(self.permission)

    def listed(self) -> dict[str, Any]:
        """Return it as programs read it."""
        return {
            "identity": self.identity,
            "permission": self.permission,
            "held": self.is_held,
            "needed": self.is_needed,
            "why": self.why,
            "reaches": self.reaches,
            "without": self.without,
        }


def is_grave(permission: str) -> bool:
    """Return whether a permission hands over mail, changes what is there, or gives more of them."""
    return permission.startswith(_MAIL) or any(word in permission for word in _GRAVE_WORDS)


def reach_of(permission: str) -> str:
    """Return what whoever holds a token with the permission could reach."""
    return _REACHES.get(permission, _UNLISTED)


def uses_of(purposes: Iterable[Purpose]) -> tuple[Use, ...]:
    """Return what is done for these purposes."""
    wanted = frozenset(purposes)
    return tuple(use for use in USES if use.purpose in wanted)


def unserved(held: frozenset[str], purposes: Iterable[Purpose]) -> list[Use]:
    """Return the uses that no held permission allows, and that Exchange cannot allow beside it."""
    return [
        use
        for use in uses_of(purposes)
        if not use.is_scoped and held.isdisjoint((*use.allowed_by, *use.wider))
    ]


def access_of(identity: str, held: frozenset[str], purposes: Iterable[Purpose]) -> list[AccessLine]:
    """Return every permission that is held or needed, the needed ones first, each once."""
    uses = uses_of(purposes)
    serves: dict[str, list[Use]] = {}
    for use in uses:
        allowing = next((one for one in use.allowed_by if one in held), use.allowed_by[0])
        serves.setdefault(allowing, []).append(use)
    lines = [
        AccessLine(
            identity,
            permission,
            is_held=permission in held,
            is_needed=True,
            why=" ".join(use.why for use in served),
            reaches=reach_of(permission),
            without="; ".join(use.without for use in served),
        )
        for permission, served in serves.items()
    ]
    return lines + [
        _too_much(identity, permission, uses, held) for permission in sorted(held - serves.keys())
    ]


def _too_much(
    identity: str, permission: str, uses: Iterable[Use], held: frozenset[str]
) -> AccessLine:
    instead = sorted(
        {
            use.allowed_by[0]
            for use in uses
            if permission in use.wider and held.isdisjoint(use.allowed_by)
        }
    )
    return AccessLine(
        identity,
        permission,
        is_held=True,
        is_needed=False,
        why=f"More than needed: {' and '.join(instead)} is enough."
        if instead
        else "Nothing that Mailbox Guard does with this identity needs it.",
        reaches=reach_of(permission),
        without=f"nothing is lost once {' and '.join(instead)} is granted"
        if instead
        else "nothing is lost",
    )
