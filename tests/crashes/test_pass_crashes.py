"""A sync pass over the wire: a crash at any failpoint, and every mail is in Dataverse once.

`tests/sync/test_crashes.py` crashes at every occurrence of every failpoint, over twins. Here the
real adapters speak to the sandbox, where one pass reaches some 400; the occurrences of one differ
only in which mail they are about, so the first and the last of each stand for all: nothing done
yet, and everything else done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest

from kernel.clock import FrozenClock
from kernel.failpoints import NONE, Crash, Failpoints, Recorder
from kernel.shards import LEASE_SECONDS
from sandbox import people
from sandbox.faults import PlannedFault
from sync.run.loop import Loop
from sync.run.once import once
from tests.crashes.acts import TRIES, Place, crash_at, places_of
from tests.crashes.guarded_organization import database_url
from tests.crashes.synced_organization import LEADING_UP, SyncedOrganization, SyncProcess

Act = Callable[[SyncedOrganization], Awaitable[bool]]
BOB, ANNA = people.BOB, people.ANNA
MAILS_OF_ANNA = 2


@dataclass(frozen=True, slots=True)
class Play:
    """What leads up to the acts, the acts, and how many mails there are in the end.

    `is_steady` is off where two processes meet: how often one looks for the other's answer hangs on
    chance, so only the first occurrence of a failpoint is sure to come again.
    """

    acts: Sequence[Act]
    mails: int
    lead_up: Sequence[Act] = ()
    is_steady: bool = True


async def a_pass(synced: SyncedOrganization) -> bool:
    """Do what `sync run --once` does."""
    report = await once(synced.running.sync)
    assert report.is_clean, report.problems
    return True


async def bob_is_approved(synced: SyncedOrganization) -> bool:
    synced.approve(BOB)
    return True


async def anna_is_approved(synced: SyncedOrganization) -> bool:
    synced.approve(ANNA)
    return True


async def anna_is_approved_anew(synced: SyncedOrganization) -> bool:
    synced.withdraw(ANNA)
    synced.approve(ANNA)
    return True


async def anna_is_rejected_in_dataverse(synced: SyncedOrganization) -> bool:
    synced.set_row(ANNA, emailrouteraccessapproval=3)
    return True


async def the_cursor_is_lost(synced: SyncedOrganization) -> bool:
    synced.sandbox.stream_faults("anna").lose_sync_state = 1
    return True


async def anna_has_a_mail_with_a_file(synced: SyncedOrganization) -> bool:
    # Exchange is not put back between runs.
    if len(synced.sandbox.mailbox("anna").items) == MAILS_OF_ANNA:
        synced.sandbox.deliver_mail("anna", subject="A plan", files=(("plan.txt", b"A plan."),))
    return True


async def no_attachment_can_be_had(synced: SyncedOrganization) -> bool:
    gone = {"error": {"code": "ErrorItemNotFound", "message": "The attachment is not there now."}}
    synced.sandbox.faults.add(
        PlannedFault("graph", "/attachments/", 404, method="GET", body=gone, times=100)
    )
    return True


async def attachments_can_be_had_again(synced: SyncedOrganization) -> bool:
    synced.sandbox.faults.clear()
    return True


async def a_loop_is_asked(synced: SyncedOrganization) -> bool:
    """Let the process of the moment loop while another asks it for a full pass."""
    asking = synced.another()
    try:
        await _asked(synced, looping=synced.running, asking=asking)
    finally:
        await asking.end()
    return True


async def a_loop_is_asked_by_one_that_dies(synced: SyncedOrganization) -> bool:
    """The same, but it is the one who asks that may die."""
    looping = synced.another()
    try:
        await _asked(synced, looping=looping, asking=synced.running)
    finally:
        await looping.end()
    return True


async def _asked(synced: SyncedOrganization, *, looping: SyncProcess, asking: SyncProcess) -> None:
    asking.sync = replace(asking.sync, clock=PatientClock(synced.clock))
    loop = Loop(looping.sync)
    await loop.beat()
    await loop.beat()
    answer = asyncio.create_task(once(asking.sync))
    while not answer.done() and not looping.points.crashed:
        with suppress(Crash):
            await loop.tick()
        await asyncio.sleep(0.001)
    if looping.points.crashed:
        # Whoever asked goes on alone once the leases of the dead have run out.
        synced.clock.advance(LEASE_SECONDS + 1)
    try:
        assert (await answer).is_clean
    finally:
        await loop.stop()


class PatientClock:
    """A clock by which one process waits for another, which takes real time to answer."""

    def __init__(self, clock: FrozenClock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0.002)


PLAYS = {
    "a first pass over thirty mails": Play(
        lead_up=(bob_is_approved,), acts=(a_pass, a_pass), mails=30
    ),
    "a lost cursor, a new epoch, a withdrawal by Dataverse": Play(
        lead_up=(anna_is_approved, a_pass),
        acts=(
            the_cursor_is_lost,
            a_pass,
            anna_is_approved_anew,
            a_pass,
            anna_is_rejected_in_dataverse,
            a_pass,
        ),
        mails=MAILS_OF_ANNA,
    ),
    "an attachment that can be had only later": Play(
        lead_up=(
            anna_has_a_mail_with_a_file,
            anna_is_approved,
            no_attachment_can_be_had,
            a_pass,
            attachments_can_be_had_again,
        ),
        acts=(a_pass,),
        mails=MAILS_OF_ANNA + 1,
    ),
    "a loop that is asked for a pass and dies": Play(
        lead_up=(anna_is_approved,),
        acts=(a_loop_is_asked, a_pass),
        mails=MAILS_OF_ANNA,
        is_steady=False,
    ),
    "a loop that is asked for a pass by one that dies": Play(
        lead_up=(anna_is_approved,),
        acts=(a_loop_is_asked_by_one_that_dies, a_pass),
        mails=MAILS_OF_ANNA,
        is_steady=False,
    ),
}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PLAYS)
async def test_every_mail_arrives_once(
    synced: SyncedOrganization, tmp_path: Path, name: str
) -> None:
    play, trace = PLAYS[name], Recorder()
    await perform(synced, database_url(tmp_path / "undisturbed.db"), play, trace)
    expected = synced.end_state()
    await synced.stop()
    assert len(expected["emails"]) == len({email[0] for email in expected["emails"]}) == play.mails
    assert {email[2:5] for email in expected["emails"]} == {(1, 4, False)}
    assert expected["left"] == []
    differing = {}
    places = first_and_last(places_of(trace))
    places = [place for place in places if not place.point.startswith(LEADING_UP)]
    if not play.is_steady:
        places = [place for place in places if place.occurrence == 1]
    for number, place in enumerate(places):
        url = database_url(tmp_path / f"{number}.db")
        died = await perform(synced, url, play, crash_at(place))
        assert died, f"{place} was not reached again"
        found = synced.end_state()
        if found != expected:
            differing[str(place)] = {
                part: (found[part], expected[part])
                for part in expected
                if found[part] != expected[part]
            }
        await synced.stop()
    assert differing == {}


async def perform(synced: SyncedOrganization, url: str, play: Play, points: Failpoints) -> bool:
    """Play it on an empty database; return whether the process died."""
    synced.begin(url)
    for act in play.lead_up:
        assert await act(synced)
    synced.running.points.armed = points
    died = False
    for act in play.acts:
        for _ in range(TRIES):
            try:
                is_through = await act(synced)
            except Crash:
                is_through = False
            if synced.running.points.crashed:
                died = True
                await synced.restart()
            if is_through:
                break
        else:
            raise AssertionError(f"This act never was through: {act}")
    synced.running.points.armed = NONE
    return died


def first_and_last(places: Sequence[Place]) -> list[Place]:
    """Return the first and the last occurrence of every point."""
    last = {place.point: place for place in places}
    return [place for place in places if place.occurrence == 1 or last[place.point] == place]
