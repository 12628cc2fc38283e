"""What Microsoft recorded and the guard did not see: pure, over what `SeenByGuard` answers.

A record says that items were read, not by which requests: reads of one mailbox within two minutes
are one record, and what was read again within an hour is in none. So each read of our application
must lie near an entry of the access log, and no entry need have a record. Where a mailbox was read
so much that Microsoft stopped recording it, nothing can be concluded for a day.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from console.audit.records import MailRead, Other, RowEdit, Unread
from guard.columns.table import TABLES
from guard.ledger.entry import iso
from kernel.words import DocumentedWord

AGGREGATED: Final = timedelta(minutes=2)
# So much may the clocks of services differ, and so late may a delivery come.
TOLERANCE: Final = timedelta(minutes=5)
THROTTLED: Final = timedelta(hours=24)
_MOST_IDS: Final = 20
_MOST_UNREAD: Final = 20
_OWNER: Final = 0


class UnseenKind(DocumentedWord):
    """What the guard did not see."""

    OWN_APP_UNLOGGED = (
        "own-app-unlogged",
        "Our application read a mailbox and its access log knows nothing of it: its credentials "
        "are used by somebody else.",
    )
    OWN_APP_ELSEWHERE = (
        "own-app-elsewhere",
        "Our application read a mailbox that the guard never held approved.",
    )
    OTHER_APP = "other-app", "Another application read a mailbox that the guard watches over."
    OTHER_PERSON = "other-person", "Somebody other than its owner read such a mailbox."
    UNDECIDED_EDIT = "undecided-edit", "A guarded column was written, and no decision is about it."


class Inconclusive(DocumentedWord):
    """Why nothing can be said of a record."""

    BEFORE = "before", "It is older than what the guard still has on record."
    COLUMNS = "columns", "It does not say which columns were written, and no decision is about it."
    NO_MAILBOX = "no-mailbox", "It does not say whose mailbox was read."


class SeenByGuard(Protocol):
    """What the guard and the sync have on record."""

    reads_since: datetime | None
    """Since when accesses are on record; None when none are."""
    decisions_since: datetime | None
    """Since when decisions are on record; None when none are."""

    def is_watched(self, mailbox: str) -> bool:
        """Return whether a mailbox with that sign-in name or address was ever held approved."""
        ...

    def has_access(self, mailbox: str, begin: datetime, end: datetime) -> bool:
        """Return whether the sync read anything of that mailbox within that time."""
        ...

    def has_decision(self, record_id: str, begin: datetime, end: datetime) -> bool:
        """Return whether a decision is about that row within that time, or our own write."""
        ...


@dataclass(slots=True)
class Unseen:
    """What somebody did, all of one kind by one of them on one thing."""

    kind: UnseenKind
    who: str
    what: str
    first: datetime
    last: datetime
    records: int = 0
    items: int = 0
    ids: list[str] = field(default_factory=list)
    columns: set[str] = field(default_factory=set)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "kind": self.kind.value,
            "who": self.who,
            "what": self.what,
            "first": iso(self.first),
            "last": iso(self.last),
            "records": self.records,
            "items": self.items,
            "columns": sorted(self.columns),
            "ids": self.ids,
        }


@dataclass(slots=True)
class Blind:
    """A mailbox that Microsoft stopped recording: from when to when nothing can be concluded."""

    mailbox: str
    begin: datetime
    end: datetime


class AuditComparison:
    """Takes one record after the other, and knows what nobody saw.

    `own_apps` are the ids of our applications, `known_apps` of those that may read, in lower case.
    """

    def __init__(
        self, seen: SeenByGuard, *, own_apps: Collection[str], known_apps: Collection[str] = ()
    ) -> None:
        self._seen = seen
        self._own_apps = frozenset(own_apps)
        self._known_apps = frozenset(known_apps)
        self._unseen: dict[tuple[UnseenKind, str, str], Unseen] = {}
        self._blind: dict[str, Blind] = {}
        self._digests: set[bytes] = set()
        self.unread: list[Unread] = []
        self.counts: Counter[str] = Counter()
        self.inconclusive: Counter[Inconclusive] = Counter()
        self.others: Counter[str] = Counter()

    def is_new(self, digest: str) -> bool:
        """Return whether a record was not there before; an exact repeat is counted apart."""
        short = bytes.fromhex(digest)[:16]
        if short in self._digests:
            self.counts["repeats"] += 1
            return False
        self._digests.add(short)
        return True

    def take(self, found: MailRead | RowEdit | Other | Unread) -> None:
        """Hold one record against what the guard saw."""
        match found:
            case MailRead():
                self.counts["mail_reads"] += 1
                self._take_read(found)
            case RowEdit():
                self.counts["edits"] += 1
                self._take_edit(found)
            case Other():
                self.counts["others"] += 1
                self.others[found.operation] += 1
            case Unread():
                self.counts["unread"] += 1
                if len(self.unread) < _MOST_UNREAD:
                    self.unread.append(found)

    @property
    def unseen(self) -> list[Unseen]:
        """Return what nobody saw, by kind and then by time."""
        order = list(UnseenKind)
        return sorted(self._unseen.values(), key=lambda one: (order.index(one.kind), one.first))

    @property
    def blind(self) -> list[Blind]:
        """Return where Microsoft's own record has a gap, by mailbox."""
        return [self._blind[one] for one in sorted(self._blind)]

    def _take_read(self, read: MailRead) -> None:
        if read.is_throttled:
            self._note_blind(read)
        if not read.mailbox:
            self.inconclusive[Inconclusive.NO_MAILBOX] += 1
            return
        is_watched = self._seen.is_watched(read.mailbox)
        if read.app_id in self._own_apps:
            self._take_own(read, is_watched=is_watched)
        elif not is_watched:
            self.counts["elsewhere"] += 1
        elif read.app_id in self._known_apps:
            self.counts["known_apps"] += 1
        elif read.is_rest:
            self._add(UnseenKind.OTHER_APP, read.app_id or "an app without an id", read)
        elif read.user in ("", read.mailbox) and read.logon_type in (None, _OWNER):
            self.counts["by_owner"] += 1
        else:
            self._add(UnseenKind.OTHER_PERSON, read.user or "nobody named", read)

    def _take_own(self, read: MailRead, *, is_watched: bool) -> None:
        if not is_watched:
            self._add(UnseenKind.OWN_APP_ELSEWHERE, read.app_id, read)
            return
        begin, end = read.at - AGGREGATED - TOLERANCE, read.at + AGGREGATED + TOLERANCE
        if self._seen.has_access(read.mailbox, begin, end):
            self.counts["own_app_logged"] += 1
        elif _is_before(read.at, self._seen.reads_since):
            self.inconclusive[Inconclusive.BEFORE] += 1
        else:
            self._add(UnseenKind.OWN_APP_UNLOGGED, read.app_id, read)

    def _note_blind(self, read: MailRead) -> None:
        known = self._blind.setdefault(
            read.mailbox, Blind(read.mailbox, read.at, read.at + THROTTLED)
        )
        known.begin = min(known.begin, read.at)
        known.end = max(known.end, read.at + THROTTLED)

    def _take_edit(self, edit: RowEdit) -> None:
        table = TABLES.get(edit.table)
        if table is None:
            self.counts["other_tables"] += 1
            return
        columns = edit.columns
        if columns is not None:
            columns &= table.columns.keys()
            if not columns:
                self.counts["other_columns"] += 1
                return
        begin, end = edit.at - TOLERANCE, edit.at + TOLERANCE
        if self._seen.has_decision(edit.record_id, begin, end):
            self.counts["decided"] += 1
        elif _is_before(edit.at, self._seen.decisions_since):
            self.inconclusive[Inconclusive.BEFORE] += 1
        elif columns is None:
            self.inconclusive[Inconclusive.COLUMNS] += 1
        else:
            what = f"{edit.operation} of {edit.table} {edit.record_id}"
            one = self._one(UnseenKind.UNDECIDED_EDIT, edit.user, what, edit.at)
            one.columns |= columns
            _add_ids(one, (edit.id,))

    def _add(self, kind: UnseenKind, who: str, read: MailRead) -> None:
        one = self._one(kind, who, read.mailbox, read.at)
        one.items += read.items
        _add_ids(one, read.message_ids)

    def _one(self, kind: UnseenKind, who: str, what: str, at: datetime) -> Unseen:
        one = self._unseen.setdefault((kind, who, what), Unseen(kind, who, what, at, at))
        one.first, one.last = min(one.first, at), max(one.last, at)
        one.records += 1
        return one


def _add_ids(one: Unseen, ids: Collection[str]) -> None:
    one.ids += [each for each in ids if each and each not in one.ids][: _MOST_IDS - len(one.ids)]


def _is_before(at: datetime, since: datetime | None) -> bool:
    return since is None or at < since - TOLERANCE
