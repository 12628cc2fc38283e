"""The port Notifier by e-mail: through Graph, from one mailbox that the settings name.

Sending is mailbox access. That mailbox is nobody's whom the guard watches over: a person wrote down
that the guard may send from it, and from no other (docs/decisions/0035-mail-from-one-mailbox.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloud.errors import NotThere, Refused, RequestRejected
from cloud.graph import Graph
from guard.notices.notice import Notice
from guard.ports.directory import Directory
from guard.ports.notifier import NoticeRefused, NoticeRejected, Notifier
from guard.ports.rows import Rows
from kernel.errors import Bug
from kernel.failpoints import failpoint

MAIL_SEND = failpoint("guard.mail-send", "A mail is sent to a person whose change was refused.")
HEADER = "x-mailbox-guard-decision"


class MailNotifier:
    """Mail of one sender, by its object id; `inside` tells a person's language.

    A person's address is that of their object in Entra, never what stands in a row of Dataverse:
    that is what people try to change.
    """

    def __init__(
        self,
        graph: Graph,
        rows: Rows,
        directory: Directory,
        inside: Notifier,
        *,
        sender_id: str,
        dataverse_url: str,
    ) -> None:
        self._graph = graph
        self._rows = rows
        self._directory = directory
        self._inside = inside
        self._sender_id = sender_id
        self._dataverse_url = dataverse_url.rstrip("/")

    async def locale_of(self, person_id: str) -> int | None:
        """Return what the person chose in Dataverse."""
        return await self._inside.locale_of(person_id)

    async def was_given(self, person_id: str, mark: str, *, since: datetime) -> bool:
        """Nobody looks into Sent Items: that would need the right to read mail."""
        raise Bug("What was sent is not looked for.")

    async def give(self, notice: Notice) -> None:
        """Send the mail."""
        address = await self._address_of(notice.person_id)
        try:
            await self._graph.send_mail(
                self._sender_id,
                mail_of(notice, address, dataverse_url=self._dataverse_url),
                permit=_from_the_configured_mailbox,
                failpoint=MAIL_SEND,
                reason="guard: tell a person by mail why a change was refused",
            )
        except RequestRejected as error:
            raise NoticeRejected(error.message, hint=error.hint) from error
        except (Refused, NotThere) as error:
            raise NoticeRefused(
                f"No mail can be sent from the configured mailbox: {error.message}",
                hint="Give the guard's application Mail.Send for that mailbox, see "
                "docs/notifications.md, or remove MAILBOX_GUARD_MAIL_SENDER.",
            ) from error

    async def _address_of(self, person_id: str) -> str:
        user = await self._rows.user(person_id)
        found = None
        if user is not None and user.object_id is not None:
            found = await self._directory.person(user.object_id)
        if found is None or not found.mail:
            raise NoticeRejected("The person has no mailbox in Entra.")
        return found.mail


def mail_of(notice: Notice, address: str, *, dataverse_url: str) -> Mapping[str, Any]:
    """Return the message as Graph takes it: plain text, marked with the decision."""
    lines = [notice.body]
    for link in notice.links:
        is_row = link.url.startswith("?")
        url = f"{dataverse_url}/main.aspx{link.url}" if is_row else link.url
        lines.append(f"{link.title}: {url}")
    return {
        "subject": notice.title,
        "body": {"contentType": "text", "content": "\n\n".join(lines)},
        "toRecipients": [{"emailAddress": {"address": address}}],
        "internetMessageHeaders": [{"name": HEADER, "value": notice.decision_id}],
    }


async def _from_the_configured_mailbox() -> None:
    """Permit it: whoever set the sender wrote the permission down; there is no other to ask."""
