"""Delta rounds: what changed in a folder, in pages, with links that carry everything."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from random import Random
from typing import Any

from kernel.digest import sha256_hex
from sandbox.graph.mailboxes import Entry, Mailbox
from sandbox.graph.messages import extended_shown
from sandbox.graph.problems import Problem, bad_token, unreadable_item
from sandbox.odata import parse_expand

DEFAULT_PAGE = 10
LARGEST_PAGE = 1000
_MOST_FILTERED = 5000


@dataclass(slots=True)
class StreamFaults:
    """How the delta streams of a mailbox misbehave; everything here has been seen live."""

    repeat_items: bool = False
    shuffle: bool = False
    empty_page_first: bool = False
    lose_sync_state: int = 0
    lose_sync_state_mid_round: int = 0
    lose_items_moved_back: bool = False
    refuse_other_id_type: bool = True
    partial_updates: bool = False
    # Every next link names the very link that was asked for, or a fresh one to the same page.
    repeat_link: bool = False
    repeat_page: bool = False
    # Items whose content nobody can read: a page that would hold it fails, and so does the item.
    unreadable: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Link:
    """Everything that a link says: the stream, its options, where the round stands."""

    mailbox: str
    folder: str
    generation: int
    immutable: bool
    since: int
    until: int
    position: int = 0
    opened: bool = False
    select: str = ""
    expand: str = ""
    change_type: str = ""
    after: str = ""
    filtered: bool = False
    turn: int = 0


def write_link(link: Link, secret: str) -> str:
    """Return the opaque text of a link."""
    data = json.dumps(asdict(link), separators=(",", ":"))
    seal = sha256_hex((secret + data).encode())[:16]
    return base64.urlsafe_b64encode(f"{seal}{data}".encode()).decode().rstrip("=")


def read_link(text: str, secret: str) -> Link:
    """Return what a link says. Raises Problem for a damaged one."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        seal, rest = data[:16], data[16:]
        if not hmac.compare_digest(seal, sha256_hex((secret + rest).encode())[:16]):
            raise bad_token()
        return Link(**json.loads(rest))
    except (ValueError, TypeError) as error:
        raise bad_token() from error


def sync_state_lost(mailbox: Mailbox, location: str) -> Problem:
    """Return the problem of a link that the service no longer knows."""
    number = mailbox.generation
    return Problem(
        410,
        "SyncStateNotFound",
        f"The sync state generation is not found; generation={number - 1};"
        f"[highest={number}][{number}].",
        headers={"Location": location},
    )


@dataclass(frozen=True, slots=True)
class DeltaPage:
    """One page: items as JSON, and the link that follows; the last one is the delta link."""

    items: list[dict[str, Any]]
    link: Link
    is_last: bool


def _affected(mailbox: Mailbox, link: Link) -> list[Entry]:
    """Return the last journal line of every item that the round is about, in journal order."""
    last: dict[str, Entry] = {}
    came: set[str] = set()
    for entry in mailbox.journal[link.since : link.until]:
        if entry.folder_id == link.folder:
            last.pop(entry.immutable_id, None)
            last[entry.immutable_id] = entry
            if entry.created:
                came.add(entry.immutable_id)
    found = list(last.values())
    if link.since == 0:
        return [entry for entry in found if entry.present]
    if link.change_type:
        found = [e for e in found if _kind(e, e.immutable_id in came) == link.change_type]
    return found


def _kind(entry: Entry, came: bool) -> str:
    if not entry.present:
        return "deleted"
    return "created" if came else "updated"


def _moved_away(mailbox: Mailbox, link: Link, immutable_id: str) -> bool:
    lines = mailbox.journal[link.since : link.until]
    return any(
        e.immutable_id == immutable_id and e.folder_id == link.folder and not e.present
        for e in lines
    )


def round_page(
    mailbox: Mailbox, link: Link, *, size: int, faults: StreamFaults, text_body: bool
) -> DeltaPage:
    """Return the page at which the link stands."""
    entries = _affected(mailbox, link)
    if link.after:
        entries = [e for e in entries if _is_after(mailbox, e, link.after)][:_MOST_FILTERED]
    if faults.shuffle:
        Random(link.until).shuffle(entries)  # noqa: S311 - disorder for tests, not secrecy.
    if faults.empty_page_first and not link.opened:
        return DeltaPage([], replace(link, opened=True), is_last=False)
    if faults.repeat_link:
        return DeltaPage([], link, is_last=False)
    start = link.position
    chosen = entries[start : start + size]
    if faults.repeat_items and start > 0:
        chosen = [entries[start - 1], *chosen]
    stumbles = any(entry.immutable_id in faults.unreadable for entry in chosen)
    if stumbles and "body" in link.select.split(","):
        raise unreadable_item()
    items = [_item(mailbox, link, entry, faults=faults, text_body=text_body) for entry in chosen]
    if faults.repeat_page:
        return DeltaPage(items, replace(link, turn=link.turn + 1), is_last=False)
    if start + size < len(entries):
        return DeltaPage(items, replace(link, position=start + size, opened=True), is_last=False)
    done = replace(link, since=link.until, position=0, opened=False)
    return DeltaPage(items, done, is_last=True)


def _is_after(mailbox: Mailbox, entry: Entry, after: str) -> bool:
    message = mailbox.items.get(entry.immutable_id)
    return message is None or str(message.properties["receivedDateTime"]) >= after


def _item(
    mailbox: Mailbox, link: Link, entry: Entry, *, faults: StreamFaults, text_body: bool
) -> dict[str, Any]:
    message = mailbox.items.get(entry.immutable_id)
    kind = {"@odata.type": "#microsoft.graph.message"}
    gone = message is None or message.folder_id != link.folder
    if (
        not gone
        and faults.lose_items_moved_back
        and link.immutable
        and link.since > 0
        and _moved_away(mailbox, link, entry.immutable_id)
    ):
        gone = True
    if gone or message is None:
        removed_id = entry.immutable_id if link.immutable else entry.mutable_id
        return {**kind, "id": removed_id, "@removed": {"reason": "deleted"}}
    shown = message.as_json(immutable=link.immutable, text_body=text_body)
    shown |= extended_shown(message, parse_expand(link.expand))
    if faults.partial_updates and link.since > 0 and not entry.created:
        kept = ("@odata.etag", "id", "isRead", "lastModifiedDateTime", "changeKey")
        return {**kind, **{name: shown[name] for name in kept}}
    return {**kind, **shown}


def selected(item: Mapping[str, Any], select: str) -> dict[str, Any]:
    """Return the selected properties; id, etag, annotations and what was expanded always stay."""
    wanted = {name.strip().casefold() for name in select.split(",") if name.strip()}
    if not wanted:
        return {name: value for name, value in item.items() if name != "internetMessageHeaders"}
    return {
        name: value
        for name, value in item.items()
        if name.startswith("@")
        or name in ("id", "singleValueExtendedProperties")
        or name.casefold() in wanted
    }
