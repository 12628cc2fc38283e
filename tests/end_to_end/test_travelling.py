"""Address and approval travel between a mailbox and its user or queue, and the guard follows.

Which way they travel depends on the organisation: an edit of the mailbox is made in place and shown
on its owner, with an event or without any; or it is made on the owner instead and shown on the
mailbox; or an address can't be edited there at all. By each of them a legitimate approval is
granted once, nothing is taken for a bypass, and then nothing is written any more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from guard.ledger.filters import DecisionFilter
from guard.ledger.listing import list_decisions
from kernel import approvals
from kernel.approvals import Approval
from kernel.failpoints import Recorder
from sandbox import people
from sandbox.dataverse.platform import AddressEdit
from tests.crashes.acts import asks, edit, obligations, releases
from tests.crashes.guarded_organization import (
    GuardedOrganization,
    database_url,
    open_guarded_organization,
)

pytestmark = pytest.mark.slow
APPROVED, PENDING = 1, 2
ROUNDS = 100


@dataclass(frozen=True)
class Way:
    """One way in which an edit of a mailbox reaches its owner, or one of the owner the mailbox."""

    address_edit: AddressEdit
    mirror_fires: bool

    def __str__(self) -> str:
        return f"{self.address_edit}-{'with' if self.mirror_fires else 'without'}-an-event"


WAYS = [
    Way(address_edit, mirror_fires)
    for address_edit in (AddressEdit.IN_PLACE, AddressEdit.REDIRECT, AddressEdit.REFUSE)
    for mirror_fires in (True, False)
]


@dataclass(frozen=True)
class Pair:
    """A mailbox and its owner; `address_column` is the owner's."""

    mailbox_id: str
    owner_set: str
    owner_table: str
    owner_id: str
    address_column: str
    address: str


def pair_of(person: people.Sample) -> Pair:
    """Return somebody's mailbox and user row."""
    return Pair(
        person.mailbox_id,
        "systemusers",
        "systemuser",
        person.user_id,
        "internalemailaddress",
        person.address,
    )


PERSON, MOVED = pair_of(people.BOB), pair_of(people.ADMIN)
OLD_ADDRESS = f"admin.old@{people.DOMAIN}"
QUEUE = Pair(
    people.SUPPORT_MAILBOX_ID,
    "queues",
    "queue",
    people.SUPPORT_QUEUE_ID,
    "emailaddress",
    f"support@{people.DOMAIN}",
)


@pytest.fixture
async def guarded(way: Way, tmp_path: Path) -> AsyncIterator[GuardedOrganization]:
    async with open_guarded_organization() as organization:
        switches = organization.sandbox.dataverse.switches
        switches.address_edit, switches.mirror_fires = way.address_edit, way.mirror_fires
        for pair in (PERSON, QUEUE):
            put(organization, pair)
        put(organization, MOVED, address=OLD_ADDRESS)
        await organization.start(database_url(tmp_path / "guard.db"))
        await goes_round(organization)
        yield organization


def put(guarded: GuardedOrganization, pair: Pair, *, address: str | None = None) -> None:
    """Let both rows have waited for an approval all along."""
    for table, record_id, column in (
        ("mailbox", pair.mailbox_id, "emailaddress"),
        (pair.owner_table, pair.owner_id, pair.address_column),
    ):
        row = guarded.sandbox.row(table, record_id)
        assert row is not None
        values = {"emailrouteraccessapproval": PENDING, column: address or row[column]}
        guarded.sandbox.dataverse.insert(table, {**row, **values})


async def goes_round(guarded: GuardedOrganization) -> None:
    """Do what `serve` does within a minute."""
    guarded.clock.advance(60)
    guard = guarded.running.guard
    await guard.carry_out_obligations()
    await guard.parts.reconciler.run()
    await guard.carry_out_what_was_seen()
    await guard.carry_out_obligations()
    await guarded.sandbox.settle()


async def goes_on(guarded: GuardedOrganization) -> None:
    """Go round until nothing is left to do."""
    for _ in range(3):
        await goes_round(guarded)
        assert await obligations(guarded)


async def rests(guarded: GuardedOrganization, rounds: int = ROUNDS) -> None:
    """Go round a hundred times, in which nothing may be written, here or in Dataverse."""
    await goes_on(guarded)
    trace = guarded.running.points.armed = Recorder()
    for _ in range(rounds):
        await goes_round(guarded)
    assert not trace.reached
    assert not own_writes(guarded)


def disable_steps(guarded: GuardedOrganization, *, mode: int) -> None:
    """Let no step of that mode be fired any more."""
    for row in guarded.sandbox.rows("sdkmessageprocessingstep"):
        if row["mode"] == mode:
            values = {**row, "statecode": 1, "statuscode": 2}
            guarded.sandbox.dataverse.insert("sdkmessageprocessingstep", values)


def own_writes(guarded: GuardedOrganization) -> list[str]:
    return [
        f"{entry.method} {entry.path}"
        for entry in guarded.sandbox.access_log()
        if entry.origin == "dataverse"
        and entry.caller == people.GUARD_CLIENT_ID
        and entry.method not in ("GET", "HEAD")
        and entry.status < 300
    ]


def refusals(guarded: GuardedOrganization) -> list[dict[str, object]]:
    found = guarded.running.database.read_now(lambda c: list_decisions(c, DecisionFilter()))
    return [one for one in found if one["decision"] in ("reject", "hold")]


def held_of(guarded: GuardedOrganization, pair: Pair) -> Approval:
    held = guarded.running.database.read_now(lambda c: approvals.find(c, pair.mailbox_id))
    assert held is not None
    return held


def shown(guarded: GuardedOrganization, pair: Pair) -> tuple[object, ...]:
    mailbox = guarded.sandbox.row("mailbox", pair.mailbox_id) or {}
    owner = guarded.sandbox.row(pair.owner_table, pair.owner_id) or {}
    approval = "emailrouteraccessapproval"
    return (
        mailbox["emailaddress"],
        mailbox[approval],
        owner[pair.address_column],
        owner[approval],
    )


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("on_mailbox", [PERSON, QUEUE], ids=["user", "queue"])
async def test_an_approval_is_granted_once_and_then_nothing_is_written(
    guarded: GuardedOrganization, on_mailbox: Pair
) -> None:
    """One of a user and a queue is approved on the mailbox, the other on its own row."""
    for pair in (PERSON, QUEUE):
        on_owner = (pair.owner_set, pair.owner_id)
        where = ("mailboxes", pair.mailbox_id) if pair is on_mailbox else on_owner
        assert await edit("approver", *where, emailrouteraccessapproval=APPROVED)(guarded)
    await rests(guarded)
    assert refusals(guarded) == []
    for pair in (PERSON, QUEUE):
        assert shown(guarded, pair) == (pair.address, APPROVED, pair.address, APPROVED)
        held = held_of(guarded, pair)
        assert (held.state, held.epoch) == ("approved", 1)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("is_told", [True, False], ids=["told", "deliveries-lost"])
async def test_an_address_is_followed_wherever_it_was_edited(
    guarded: GuardedOrganization, way: Way, is_told: bool
) -> None:
    """An old address is set right and approved; what asynchronous steps tell may be lost."""
    before = len(refusals(guarded))
    if not is_told:
        disable_steps(guarded, mode=1)
    refused = way.address_edit is AddressEdit.REFUSE
    where = (MOVED.owner_set, MOVED.owner_id) if refused else ("mailboxes", MOVED.mailbox_id)
    column = "internalemailaddress" if refused else "emailaddress"
    assert await edit("desk", *where, **{column: MOVED.address})(guarded)
    await goes_on(guarded)
    assert await edit("approver", *where, emailrouteraccessapproval=APPROVED)(guarded)
    await rests(guarded, rounds=10)
    assert len(refusals(guarded)) == before
    assert shown(guarded, MOVED) == (MOVED.address, APPROVED, MOVED.address, APPROVED)
    held = held_of(guarded, MOVED)
    assert (held.state, held.epoch, held.address) == ("approved", 1, MOVED.address)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("lost", [(0,), (0, 1)], ids=["synchronous", "every-step"])
async def test_what_went_past_the_guard_is_undone_on_both_rows(
    guarded: GuardedOrganization, way: Way, lost: tuple[int, ...]
) -> None:
    anna = people.ANNA
    for mode in lost:
        disable_steps(guarded, mode=mode)
    refused = way.address_edit is AddressEdit.REFUSE
    where = ("systemusers", anna.user_id) if refused else ("mailboxes", anna.mailbox_id)
    column = "internalemailaddress" if refused else "emailaddress"
    illegitimate = {column: people.CEO.address, "emailrouteraccessapproval": APPROVED}
    assert await edit("approver", *where, **illegitimate)(guarded)
    for _ in range(5):
        await goes_on(guarded)
    row = shown(guarded, pair_of(anna))
    mailbox_address, mailbox_approval, owner_address, owner_approval = row
    assert (mailbox_address, owner_address) == (anna.address, anna.address)
    assert APPROVED not in (mailbox_approval, owner_approval)
    writes, decided = len(own_writes(guarded)), len(refusals(guarded))
    assert 1 <= writes <= 2
    trace = guarded.running.points.armed = Recorder()
    for _ in range(10):
        await goes_round(guarded)
    assert not trace.reached
    assert (len(own_writes(guarded)), len(refusals(guarded))) == (writes, decided)


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("is_on_mailbox", [True, False], ids=["mailbox", "owner"])
async def test_what_an_approver_released_travels_with_the_edit(
    guarded: GuardedOrganization, is_on_mailbox: bool
) -> None:
    """The approval of a VIP is held, released, and made once more: on both rows, and for good."""
    pair = pair_of(people.CFO)
    put(guarded, pair)
    await goes_on(guarded)
    mailbox, owner = ("mailboxes", pair.mailbox_id), (pair.owner_set, pair.owner_id)
    where = mailbox if is_on_mailbox else owner
    approves = {"emailrouteraccessapproval": APPROVED}
    assert await asks("approver", *where, **approves)(guarded)
    assert await releases(people.GLOBAL_ADMIN, where[1])(guarded)
    decided = len(refusals(guarded))
    assert await edit("approver", *where, **approves)(guarded)
    await goes_on(guarded)
    # Whoever asked was told why; nothing else was written.
    assert {one.rpartition("/")[2] for one in own_writes(guarded)} == {"SendAppNotification"}
    assert len(refusals(guarded)) == decided
    assert shown(guarded, pair) == (pair.address, APPROVED, pair.address, APPROVED)
    held = held_of(guarded, pair)
    assert (held.state, held.epoch) == ("approved", 1)
    # It stands when its rows are judged anew, and a day later.
    guarded.clock.advance(24 * 60 * 60)
    await goes_on(guarded)
    await guarded.running.guard.parts.drift.run()
    assert held_of(guarded, pair).state == "approved"
