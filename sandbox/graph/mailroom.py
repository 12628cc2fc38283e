"""Where a request meets a mailbox: who may enter, and what is found inside."""

from __future__ import annotations

from sandbox.directory import Directory
from sandbox.graph.asking import Ask, demand
from sandbox.graph.delta import StreamFaults
from sandbox.graph.mailboxes import Exchange, Folder, Mailbox
from sandbox.graph.messages import Message
from sandbox.graph.problems import Problem, no_mailbox, no_such_item

READ = ("Mail.Read", "Mail.ReadWrite", "Mail.ReadBasic.All")
READ_CONTENT = ("Mail.Read", "Mail.ReadWrite")
WRITE = ("Mail.ReadWrite",)
SEND = ("Mail.Send",)


class Mailroom:
    """The mailboxes, with the permissions on them and the faults of their streams."""

    def __init__(self, directory: Directory, exchange: Exchange) -> None:
        self.directory, self.exchange = directory, exchange
        self.faults: dict[str, StreamFaults] = {}
        # Mailboxes that an application may reach without a tenant-wide permission.
        self.scoped: dict[str, set[str]] = {}
        # Mailboxes that an access policy closes to an application.
        self.denied: dict[str, set[str]] = {}

    def faults_of(self, object_id: str) -> StreamFaults:
        """Return the switches of a mailbox's streams."""
        return self.faults.setdefault(object_id, StreamFaults())

    def mailbox(self, ask: Ask, roles: tuple[str, ...]) -> Mailbox:
        """Return the mailbox that the path names. Raises Problem unless the caller may enter."""
        key = ask.variables["user"]
        person = self.directory.person(key)
        object_id = person.id if person else ""
        if object_id in self.denied.get(ask.bearer.app_id, ()):
            raise Problem(
                403,
                "ErrorAccessDenied",
                "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly "
                "AccessPolicy settings.",
            )
        if object_id not in self.scoped.get(ask.bearer.app_id, ()):
            demand(ask.bearer, *roles)
        if person is None:
            raise Problem(404, "ErrorInvalidUser", f"The requested user '{key}' is invalid.")
        mailbox = self.exchange.mailboxes.get(object_id)
        if mailbox is None:
            raise no_mailbox()
        return mailbox

    def folder(self, ask: Ask, mailbox: Mailbox, key: str | None = None) -> Folder:
        """Return the folder that the path, or a key, names. Raises Problem."""
        folder = mailbox.folder(key or ask.variables["folder"])
        if folder is None:
            raise Problem(
                404, "ErrorItemNotFound", "The specified folder could not be found in the store."
            )
        return folder

    def message(self, ask: Ask, mailbox: Mailbox) -> Message:
        """Return the message that the path names. Raises Problem."""
        message = mailbox.item(ask.variables["message"])
        if message is None:
            raise no_such_item()
        return message
