"""Sending: a draft is handed to transport and arrives where it is addressed to."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.graph.asking import Answer, Ask, Served, serve
from sandbox.graph.mailboxes import Mailbox
from sandbox.graph.mailroom import SEND, Mailroom
from sandbox.graph.messages import Message, addressed, graph_time, read_attachment
from sandbox.graph.problems import Problem


class Sending:
    """Handlers of sending."""

    def __init__(self, room: Mailroom) -> None:
        self._room = room

    def routes(self) -> list[Served]:
        """Return what is served here."""
        return [
            serve("POST", "/users/{user}/messages/{message}/send", self._send_draft),
            serve("POST", "/users/{user}/sendMail", self._send_mail),
        ]

    def _send_draft(self, ask: Ask) -> Answer:
        mailbox = self._room.mailbox(ask, SEND)
        message = self._room.message(ask, mailbox)
        if not message.properties["isDraft"]:
            raise Problem(400, "ErrorInvalidRequest", "The message has already been sent.")
        self._send(ask, mailbox, message, keep=True)
        return Answer(status=202)

    def _send_mail(self, ask: Ask) -> Answer:
        mailbox = self._room.mailbox(ask, SEND)
        body = ask.parameter("message")
        if not isinstance(body, Mapping):
            raise Problem(400, "ErrorInvalidRequest", "The parameter 'message' is missing.")
        message = self._room.exchange.new_message(mailbox, "drafts", body, now=ask.now)
        for one in body.get("attachments") or []:
            message.attachments.append(read_attachment(one, ask.now))
        mailbox.add(message)
        self._send(ask, mailbox, message, keep=ask.parameter("saveToSentItems") is not False)
        return Answer(status=202)

    def _send(self, ask: Ask, mailbox: Mailbox, message: Message, *, keep: bool) -> None:
        """Hand a draft to transport: it leaves Drafts and arrives where it is addressed to."""
        message.properties["isDraft"] = False
        message.properties["sentDateTime"] = graph_time(ask.now)
        message.properties.setdefault("from", {"emailAddress": {"address": mailbox.address}})
        sent = mailbox.folder("sentitems")
        if keep and sent is not None:
            mailbox.move(message, sent.id, ask.now)
        else:
            mailbox.delete(message)
        for address in addressed(message):
            for other in self._room.exchange.mailboxes.values():
                if other.address.casefold() == address.casefold():
                    self._arrive(ask, other, message)

    def _arrive(self, ask: Ask, mailbox: Mailbox, sent: Message) -> None:
        copy = self._room.exchange.new_message(mailbox, "inbox", sent.properties, now=ask.now)
        copy.properties["isDraft"] = False
        copy.headers = [dict(one) for one in sent.headers]
        copy.attachments = list(sent.attachments)
        mailbox.add(copy)
