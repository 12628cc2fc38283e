"""What decisions ask of Dataverse and the directory: joined, remembered for moments, shared out.

Terms:

- *Asker*: the actor for whose change something is looked up.
- *Recent*: an answer that is no older than `FRESH_SECONDS`. It is given again to whoever asks the
  same; whoever asks while it is still being looked up waits for that look-up. How old it is then is
  told with it (`age`).

No asker gets more than a share of the look-ups, so that nobody's changes can keep those of others
from being decided. What is read to be written on, or to be granted by, is never remembered: rows
are always read now.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any, TypeVar

from guard.facts import age
from guard.ports.directory import Directory, Person
from guard.ports.rows import BusinessUnit, HeldRole, Myself, Rows, StoredRow, UserRow
from kernel.clock import Clock
from kernel.errors import Unavailable
from rules.model.change import Value

T = TypeVar("T")

FRESH_SECONDS = 2.0
MOST_REMEMBERED = 4096
# A third of what Dataverse bears for decisions, and no more at once than leaves room for others.
SHARE_REQUESTS = 1_700
SHARE_SECONDS = 300.0
SHARE_AT_ONCE = 6
MOST_ASKERS = 4096


@dataclass(slots=True)
class _Asker:
    """For whom is asked, and since when (monotonic seconds); None before the first question."""

    actor_id: str | None
    since: float | None = None


_asker: ContextVar[_Asker | None] = ContextVar("asker", default=None)


class ShareUsed(Unavailable):
    """One actor's changes have used up their share of look-ups; those of others go on."""

    code = "share-used"


@contextmanager
def asked_for(actor_id: str | None) -> Iterator[None]:
    """Let what is looked up inside count as asked for by that actor, for one decision."""
    token = _asker.set(_Asker(actor_id))
    try:
        yield
    finally:
        _asker.reset(token)


@dataclass(slots=True, eq=False)
class _Asked:
    """What one asker has asked within the window, has under way, and waits to begin."""

    actor_id: str | None
    at: deque[float] = field(default_factory=deque)
    under_way: int = 0
    waiting: deque[_LookUp] = field(default_factory=deque)


@dataclass(slots=True, eq=False)
class _LookUp:
    """A look-up that somebody waits for; begun by the first of its askers who has a turn."""

    key: Hashable
    call: Callable[[], Awaitable[Any]]
    answer: asyncio.Future[tuple[float, Any]]
    context: Context = field(default_factory=copy_context)
    wanted_by: int = 0
    askers: list[_Asked] = field(default_factory=list)
    task: asyncio.Task[None] | None = None

    @property
    def is_due(self) -> bool:
        """Tell whether it has not begun and somebody still waits for it."""
        return self.task is None and self.wanted_by > 0


class Asking:
    """The look-ups of one process for its decisions."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._recent: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._under_way: dict[Hashable, _LookUp] = {}
        self._askers: OrderedDict[str | None, _Asked] = OrderedDict()

    async def ask(
        self, key: Hashable, look_up: Callable[[], Awaitable[T]], *, is_counted: bool = False
    ) -> T:
        """Return a recent answer, that of a look-up under way, or a new one.

        Of one asker so many are looked up at a time; others of theirs wait, in nobody else's way:
        whoever asks the same and has a turn begins it, and what nobody waits for any more is never
        begun. A counted one is of a service that bears only so many. Raises ShareUsed instead of a
        new one when the asker has used up the share, and whatever the look-up raises, which is
        never remembered.
        """
        now = self._clock.monotonic()
        asker = _asker.get()
        if asker is not None and asker.since is None:
            asker.since = now
        known = self._recent.get(key)
        if known is not None and now - known[0] <= FRESH_SECONDS:
            _tell_age(known[0], now)
            answer: T = known[1]
            return answer
        looked = self._under_way.get(key)
        if looked is None or looked.task is None:
            looked = self._wait_for_turn(key, look_up, looked, now, is_counted=is_counted)
        looked.wanted_by += 1
        if looked.task is None:
            self._begin_what_is_due(looked.askers)
        try:
            # Shielded: a caller whose deadline comes does not take the answer from the others.
            began, answer = await asyncio.shield(looked.answer)
        finally:
            looked.wanted_by -= 1
            if looked.task is None and not looked.wanted_by:
                self._forget(looked)
        _tell_age(began, now)
        return answer

    def _wait_for_turn(
        self,
        key: Hashable,
        look_up: Callable[[], Awaitable[Any]],
        looked: _LookUp | None,
        now: float,
        *,
        is_counted: bool,
    ) -> _LookUp:
        """Return a look-up that has not begun, with whoever asks among its askers."""
        asked = self._asked(now)
        if looked is not None and asked in looked.askers:
            return looked
        if is_counted:
            self._count(asked, now)
        if looked is None:
            answer: asyncio.Future[tuple[float, Any]] = asyncio.get_running_loop().create_future()
            # Whoever asked may have gone by the time it fails; nobody else misses the answer.
            answer.add_done_callback(_look_at_failure)
            looked = self._under_way[key] = _LookUp(key, look_up, answer)
        looked.askers.append(asked)
        asked.waiting.append(looked)
        return looked

    def _begin_what_is_due(self, askers: Iterable[_Asked]) -> None:
        for asked in askers:
            while asked.waiting and asked.under_way < SHARE_AT_ONCE:
                looked = asked.waiting.popleft()
                if looked.is_due:
                    asked.under_way += 1
                    looked.task = asyncio.create_task(
                        self._answer(looked, asked), context=looked.context
                    )

    async def _answer(self, looked: _LookUp, asked: _Asked) -> None:
        """Answer with the moment at which the look-up began, once it had its turn."""
        began = self._clock.monotonic()
        try:
            answer = await looked.call()
        except asyncio.CancelledError:
            looked.answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, it is raised where it was asked.
            looked.answer.set_exception(error)
        else:
            self._recent[looked.key] = (began, answer)
            self._recent.move_to_end(looked.key)
            while len(self._recent) > MOST_REMEMBERED:
                self._recent.popitem(last=False)
            looked.answer.set_result((began, answer))
        finally:
            self._forget(looked)
            asked.under_way -= 1
            self._begin_what_is_due((asked,))

    def _forget(self, looked: _LookUp) -> None:
        if self._under_way.get(looked.key) is looked:
            del self._under_way[looked.key]

    def _asked(self, now: float) -> _Asked:
        given = _asker.get()
        asker = given.actor_id if given is not None else None
        asked = self._askers.setdefault(asker, _Asked(asker))
        self._askers.move_to_end(asker)
        while asked.at and now - asked.at[0] >= SHARE_SECONDS:
            asked.at.popleft()
        while len(self._askers) > MOST_ASKERS:
            self._askers.popitem(last=False)
        return asked

    def _count(self, asked: _Asked, now: float) -> None:
        if len(asked.at) >= SHARE_REQUESTS:
            raise ShareUsed(
                f"The changes of {asked.actor_id or 'an actor who is not named'} ask for more than "
                "one actor's share of look-ups.",
                hint="Make fewer changes at once; those of others are decided meanwhile.",
            )
        asked.at.append(now)


def _tell_age(began: float, now: float) -> None:
    """Tell how old an answer is: what was looked up since the decision asked first is not."""
    asker = _asker.get()
    since = now if asker is None or asker.since is None else asker.since
    age.used(since - began)


def _look_at_failure(answer: asyncio.Future[Any]) -> None:
    if not answer.cancelled():
        answer.exception()


@dataclass(frozen=True, slots=True)
class AskedRows:
    """Rows whose facts are joined, remembered and shared out; rows themselves are read now."""

    rows: Rows
    asking: Asking

    async def myself(self) -> Myself:
        """Return who the guard is."""
        return await self.rows.myself()

    async def row(self, table: str, record_id: str) -> StoredRow | None:
        """Return the row, read now."""
        return await self.rows.row(table, record_id)

    def pages(
        self, table: str, *, written_by: str | None = None
    ) -> AsyncIterator[Sequence[StoredRow]]:
        """Yield rows, read now."""
        return self.rows.pages(table, written_by=written_by)

    async def mailboxes_of(self, owner_id: str) -> Sequence[StoredRow]:
        """Return the mailboxes of an owner, read now."""
        return await self.rows.mailboxes_of(owner_id)

    async def user(self, user_id: str) -> UserRow | None:
        """Return a user."""
        return await self._ask(("user", user_id), lambda: self.rows.user(user_id))

    async def users_named(self, *, object_id: str | None, upn: str | None) -> Sequence[UserRow]:
        """Return the users of a name."""
        return await self._ask(
            ("users_named", object_id, upn),
            lambda: self.rows.users_named(object_id=object_id, upn=upn),
        )

    async def business_unit_of(self, table: str, record_id: str) -> str | None:
        """Return the business unit of a row."""
        return await self._ask(
            ("business_unit_of", table, record_id),
            lambda: self.rows.business_unit_of(table, record_id),
        )

    async def business_units(self) -> Mapping[str, BusinessUnit]:
        """Return every business unit."""
        return await self._ask(("business_units",), self.rows.business_units)

    async def roles_of(self, user_id: str) -> Sequence[HeldRole]:
        """Return the direct roles."""
        return await self._ask(("roles_of", user_id), lambda: self.rows.roles_of(user_id))

    async def team_roles_of(self, user_id: str) -> Sequence[HeldRole]:
        """Return the roles through teams."""
        return await self._ask(("team_roles_of", user_id), lambda: self.rows.team_roles_of(user_id))

    async def has_privilege(self, user_id: str, name: str) -> bool:
        """Return whether a user holds a privilege."""
        return await self._ask(
            ("has_privilege", user_id, name), lambda: self.rows.has_privilege(user_id, name)
        )

    async def _ask(self, key: Hashable, look_up: Callable[[], Awaitable[T]]) -> T:
        return await self.asking.ask(key, look_up, is_counted=True)

    async def update(
        self, table: str, record_id: str, columns: Mapping[str, Value], *, etag: str, tag: str
    ) -> None:
        """Write."""
        await self.rows.update(table, record_id, columns, etag=etag, tag=tag)


@dataclass(frozen=True, slots=True)
class AskedDirectory:
    """A directory whose answers are joined, remembered and shared out."""

    directory: Directory
    asking: Asking

    async def person(self, key: str) -> Person | None:
        """Return a person."""
        return await self.asking.ask(("person", key), lambda: self.directory.person(key))

    async def holders_of(self, address: str) -> Sequence[Person]:
        """Return who holds an address."""
        return await self.asking.ask(
            ("holders_of", address), lambda: self.directory.holders_of(address)
        )

    async def others_holding(self, address: str) -> Sequence[Person]:
        """Return what else holds an address."""
        return await self.asking.ask(
            ("others_holding", address), lambda: self.directory.others_holding(address)
        )

    async def directory_roles(self, object_id: str) -> tuple[str, ...]:
        """Return the roles of a person."""
        return await self.asking.ask(
            ("directory_roles", object_id), lambda: self.directory.directory_roles(object_id)
        )

    async def has_exchange(self, key: str) -> bool | None:
        """Return whether a person has an Exchange plan."""
        return await self.asking.ask(
            ("has_exchange", key), lambda: self.directory.has_exchange(key)
        )

    async def mailbox_purpose(self, object_id: str) -> str:
        """Return what a mailbox is for."""
        return await self.asking.ask(
            ("mailbox_purpose", object_id), lambda: self.directory.mailbox_purpose(object_id)
        )
