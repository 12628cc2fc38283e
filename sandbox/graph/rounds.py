"""Delta through Graph: the first request opens a round, links carry it on."""

from __future__ import annotations

from dataclasses import replace

from sandbox.graph.asking import Answer, Ask, Served, serve
from sandbox.graph.delta import (
    DEFAULT_PAGE,
    LARGEST_PAGE,
    Link,
    StreamFaults,
    read_link,
    round_page,
    selected,
    sync_state_lost,
    write_link,
)
from sandbox.graph.mailboxes import Folder, Mailbox
from sandbox.graph.mailroom import READ, Mailroom
from sandbox.graph.messages import graph_time
from sandbox.graph.problems import Problem, bad_token
from sandbox.odata import QueryRefused, moment


class Rounds:
    """Handlers of delta rounds."""

    def __init__(self, room: Mailroom, *, secret: str) -> None:
        self._room, self._secret = room, secret

    def routes(self) -> list[Served]:
        """Return what is served here."""
        path = "/users/{user}/mailFolders/{folder}/messages/delta"
        return [serve("GET", path, self._delta)]

    def _delta(self, ask: Ask) -> Answer:
        mailbox = self._room.mailbox(ask, READ)
        folder = self._room.folder(ask, mailbox)
        faults = self._room.faults_of(mailbox.object_id)
        link = self._link(ask, mailbox, folder, faults)
        size = ask.page_size or ask.whole("$top", default=DEFAULT_PAGE)
        size = min(max(size, 1), LARGEST_PAGE)
        page = round_page(mailbox, link, size=size, faults=faults, text_body=ask.text_body)
        token = write_link(page.link, self._secret)
        kind, name = ("deltaLink", "$deltatoken") if page.is_last else ("nextLink", "$skiptoken")
        where = self._delta_path(ask, mailbox, folder)
        return Answer(
            {
                "@odata.context": f"{ask.base}/$metadata#Collection(message)",
                f"@odata.{kind}": f"{where}?{name}={token}",
                "value": [selected(item, link.select) for item in page.items],
            }
        )

    def _delta_path(self, ask: Ask, mailbox: Mailbox, folder: Folder) -> str:
        return f"{ask.base}/users('{mailbox.object_id}')/mailFolders('{folder.id}')/messages/delta"

    def _link(self, ask: Ask, mailbox: Mailbox, folder: Folder, faults: StreamFaults) -> Link:
        skip, delta = ask.options.get("$skiptoken"), ask.options.get("$deltatoken")
        if skip is None and delta is None:
            return self._first_link(ask, mailbox, folder)
        link = read_link(skip or delta or "", self._secret)
        if (link.mailbox, link.folder) != (mailbox.object_id, folder.id):
            raise bad_token()
        if link.generation != mailbox.generation or self._loses(faults, mid_round=delta is None):
            location = self._delta_path(ask, mailbox, folder)
            raise sync_state_lost(mailbox, location)
        if link.immutable != ask.immutable and faults.refuse_other_id_type:
            raise Problem(400, "SyncStateInvalid", "The sync state is invalid for this request.")
        # A delta link opens a new round: from what was told to what is there now.
        return link if skip is not None else replace(link, until=len(mailbox.journal))

    def _loses(self, faults: StreamFaults, *, mid_round: bool) -> bool:
        if mid_round and faults.lose_sync_state_mid_round > 0:
            faults.lose_sync_state_mid_round -= 1
            return True
        if not mid_round and faults.lose_sync_state > 0:
            faults.lose_sync_state -= 1
            return True
        return False

    def _first_link(self, ask: Ask, mailbox: Mailbox, folder: Folder) -> Link:
        return Link(
            mailbox=mailbox.object_id,
            folder=folder.id,
            generation=mailbox.generation,
            immutable=ask.immutable,
            since=0,
            until=len(mailbox.journal),
            select=ask.options.get("$select", ""),
            expand=ask.options.get("$expand", ""),
            change_type=ask.options.get("changeType", ask.options.get("changetype", "")),
            after=_received_after(ask.options.get("$filter", "")),
        )


def _received_after(text: str) -> str:
    """Return the moment of the only filter that delta takes. Raises Problem for another."""
    if not text:
        return ""
    words = text.split()
    refused = Problem(400, "ErrorInvalidUrlQueryFilter", "The query filter is not supported.")
    if len(words) != 3 or words[0] != "receivedDateTime" or words[1] not in ("ge", "gt"):
        raise refused
    try:
        return graph_time(moment(words[2]))
    except QueryRefused as error:
        raise refused from error
