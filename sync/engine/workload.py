"""What the engine asks of a workload, and all that it knows of one.

Terms:
- *workload*: one sort of item in one direction, such as incoming mail; it has a folder of its own
  beside this one, and one line in `sync/registry.py`;
- *stream*: what is read of one folder of a mailbox, page by page, each page with a link to the
  next and the last one with the link that the next round begins with. A folder is whatever the
  workload's source lists separately, by a name that never changes: a mail folder, a calendar, or
  the rows of Dataverse that wait to be sent from the mailbox;
- *entry*: one object of a page, as it came; it may repeat, in any order, and an updated one may say
  no more than what changed;
- *item*: an entry that was understood, by the immutable id of what it is about;
- *content*: an item read whole, as the source says it;
- *fields*: what policies see of an item, under the names of the catalogue's entity;
- *verdict*: what is to become of an item: track, metadata-only or skip;
- *plan*: what a page comes to, from what is known (links), what the page says (items) and what is
  wanted (verdicts); this is where a workload compares the two sides;
- *write*: carrying one item to the other side, from a durable task: it may be run again after a
  crash at any moment, and must then find what it made (laws 7 and 8);
- *permit*: asked right before each attempt to reach a mailbox, retries included.

The engine calls the methods that reach a service only with a permit, and passes on what they raise:
the errors of `cloud.errors`, `CursorLost` among them, and ItemUnreadable. All other methods are
pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from rules.model.change import Value
from sync.model.address_book import AddressBook
from sync.model.delivery_method import DeliveryMethod
from sync.model.item import I, UnreadableEntry
from sync.model.link import ItemPlace, Link, LinkState
from sync.model.plan import Plan
from sync.model.stream import Stream
from sync.model.verdict import Verdict

if TYPE_CHECKING:
    from uuid import UUID

    from cloud.dataverse import Dataverse
    from cloud.graph import Graph
    from sync.meter import Meter

Permit = Callable[[], Awaitable[None]]
"""Returns when the attempt is allowed, and raises otherwise."""

Content = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a round: its entries, and either the next page or the round's end."""

    entries: tuple[Content, ...]
    next_link: str | None = None
    delta_link: str | None = None


@dataclass(frozen=True, slots=True)
class ItemToWrite:
    """One item that is to be carried to the other side.

    `permit` is asked before each attempt to reach the mailbox, `check` before the first effect
    elsewhere: nothing of a mailbox goes anywhere once it is withdrawn, not even what was read
    before. `note_read` is told of each answer that held something of the mailbox. `attempts` is
    how often it was tried, this time included.
    """

    object_id: str
    link: Link
    content: Content
    address_book: AddressBook
    permit: Permit
    check: Permit
    note_read: Callable[[str, int], None]
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class Written:
    """What came of writing an item: how its link stands now.

    `is_new` tells that this very attempt made the row, `is_completed` that it brought one to its
    end. `missing` names what could not be had and may come later; `is_lacking` tells that something
    never can. `result` is shown with the task.
    """

    result: str
    state: LinkState = LinkState.TRACKED
    place: ItemPlace | None = None
    row_id: str | None = None
    has_weak_key: bool = False
    is_new: bool = False
    is_completed: bool = False
    missing: tuple[str, ...] = ()
    is_lacking: bool = False


class Workload(Protocol[I]):
    """One sort of item in one direction."""

    @property
    def name(self) -> str:
        """The workload's name: it stands in streams, links, task kinds and failpoints."""
        ...

    @property
    def noun(self) -> str:
        """What one item is called in the access log, in English and singular."""
        ...

    @property
    def effect(self) -> str:
        """What writing an item does, in one sentence for people."""
        ...

    @property
    def delivery(self) -> DeliveryMethod:
        """The delivery column that says who syncs this workload."""
        ...

    @property
    def entity(self) -> str | None:
        """The entity of the field catalogue that policies judge its items as; None: none does."""
        ...

    @property
    def folders(self) -> Sequence[str]:
        """The folders of a mailbox that are read, one stream each."""
        ...

    async def page(
        self,
        stream: Stream,
        *,
        link: str | None,
        permit: Permit,
        at_most: int | None = None,
        ids_only: bool = False,
    ) -> Page:
        """Return a page of a stream: the first one of a full round without a link.

        `at_most` bounds its entries, as well as the source allows. `ids_only` begins a round that
        says of each item little more than its id: something about one of them is in the way.
        """
        ...

    async def content(self, object_id: str, item_id: str, *, permit: Permit) -> Content | None:
        """Return one item whole, or None when it is gone."""
        ...

    async def folder_of(self, object_id: str, item_id: str, *, permit: Permit) -> str | None:
        """Return the id of the folder that an item is in, or None when the item is gone.

        None only when the service itself says so: it makes a tombstone.
        """
        ...

    def item(self, entry: Any) -> I | UnreadableEntry:
        """Return the item that an entry describes, or why it cannot be understood."""
        ...

    def verdict(self, item: I) -> Verdict:
        """Return what is to become of an item unless a policy says otherwise; a skip is final."""
        ...

    def fields(self, content: Content, *, address: str, folder: str) -> Mapping[str, Value]:
        """Return what policies see of an item that was read whole. Raises ItemUnreadable.

        `address` is the mailbox's, `folder` the stream's. A field that cannot be learnt is left
        out: the rules that compare it err, and `onError` says what then.
        """
        ...

    def plan(
        self,
        base: Mapping[str, Link],
        left: Sequence[I | UnreadableEntry],
        right: Mapping[str, Verdict],
    ) -> Plan:
        """Return what to remember and to do for a page; an item without a verdict is set aside."""
        ...

    async def write(self, item: ItemToWrite) -> Written:
        """Carry an item to the other side, or find it there.

        What belongs to the item and cannot be had is named in `missing`; it holds up nothing.
        Raises ItemUnreadable, or RequestRejected, for what is set aside with the reason.
        """
        ...

    async def supplement(
        self, item: ItemToWrite, missing: Sequence[str], *, is_lacking: bool
    ) -> tuple[str, ...]:
        """Bring what was missing when an item was written; return what is missing still."""
        ...


@dataclass(frozen=True, slots=True)
class Clients:
    """What a workload makes its adapters from; mailboxes and rows may be reached as two users."""

    graph: Graph
    dataverse: Dataverse
    organization: UUID
    meter: Meter
