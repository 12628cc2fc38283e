"""The evidence of every approval looked at again: Entra changes without telling anybody.

An approval ends when its Exchange object is gone, no longer the only one that holds the address, no
longer the owner's own, when a sign-in name in the evidence changed, or when the policies that hold
now do not allow its rows. That an account is disabled proves nothing by itself.

More than max(20, 5 %) within a day need a person (law 8): what waits to be withdrawn counts with
what was. The withdrawals are counted in the database, so that neither a restart nor another process
begins anew; a mailbox that was approved again no longer counts. Where a look at all takes several
rounds, many in one of them wait for a second look: by then the others have been counted. Whatever
waits rests meanwhile. What holds is confirmed, so that its evidence is young again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from guard.columns.table import OwnerType
from guard.facts.holders import whose
from guard.judge import Judge
from guard.obligations.resolve import confirmed_holders
from guard.ports.directory import Directory, Person
from guard.ports.metrics import GuardMetrics
from guard.ports.rows import Rows
from guard.watch.rejudging import NotJudged, Rejudging
from kernel import approvals, recall, stops
from kernel.approvals import Approval, WithdrawalCause
from kernel.brake import Braked, Release, brake
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import GuardError
from kernel.failpoints import failpoint
from kernel.log import get_logger
from rules.operators.fields import fold

DRIFTED = failpoint("guard.drifted", "An approval whose evidence no longer holds is withdrawn.")

AT_ONCE = 20
# A round looks at so many, and the next one goes on from there: a large fleet takes several.
MOST_A_SECOND = 3
# So many in one round are no mass drift in the making: they are withdrawn at once.
FEW = 5
WITHDRAWALS = brake(
    "guard.evidence",
    counts="approvals whose evidence no longer holds: what waits, and what was withdrawn for that",
    total="approved mailboxes",
    window=timedelta(hours=24),
    release=Release.GO_ON,
)
ANEW = "Approve the address anew if it is right."
MOST_NAMED = 20
# Evidence that is confirmed anew is written down before it is half as old as allowed.
CONFIRM_SHARE = 1 / 3
log = get_logger("guard")


@dataclass(slots=True)
class DriftRound:
    """What one round found; what a brake counts is what drifted and what was withdrawn before."""

    looked_at: int = 0
    withdrawn: int = 0
    unanswered: int = 0
    unjudged: int = 0
    drifted: int = 0
    withdrawn_before: int = 0
    brake: Braked | None = None


@dataclass(frozen=True, slots=True)
class _Drifted:
    """An approval whose evidence no longer holds, why, and in which pass that was found."""

    approval: Approval
    reason: str
    since: int


@dataclass(slots=True)
class _Looked:
    """What was found of some approvals: which hold, and which drifted."""

    good: list[Approval] = field(default_factory=list)
    drifted: list[Approval] = field(default_factory=list)


class DriftWatch:
    """Looks at the evidence of approvals, some at a round, in the order of their records.

    `round_seconds` is how often there is a round: it bounds how many look-ups there are a second.
    """

    def __init__(
        self,
        database: Database,
        rows: Rows,
        directory: Directory,
        judge: Judge,
        clock: Clock,
        metrics: GuardMetrics,
        *,
        round_seconds: float = 60.0,
        evidence_max_age_seconds: float = 3600.0,
    ) -> None:
        self._database = database
        self._rows = rows
        self._directory = directory
        self._rejudging = Rejudging(rows, judge)
        self._clock = clock
        self._metrics = metrics
        self._most = max(AT_ONCE, round(MOST_A_SECOND * round_seconds))
        self._after = ""
        self._pass = 0
        self._max_age = timedelta(seconds=evidence_max_age_seconds)
        self._concluding = asyncio.Lock()
        self._drifted: dict[str, _Drifted] = {}
        # Which other objects carry somebody's mail, by record: said once.
        self._told: dict[str, frozenset[str]] = {}

    async def run(self) -> DriftRound:
        """Look at the next approvals. An idle round writes nothing.

        What Entra or Dataverse doesn't answer, or the policies can't judge, changes nothing.
        """
        # (1) What is approved now; what no longer is need not be remembered.
        now = self._clock.now()
        held = await self._database.read(lambda c: approvals.list_approved(c, now=now))
        known = {one.record_id for one in held}
        self._drifted = {one: why for one, why in self._drifted.items() if one in known}
        self._rejudging.keep(known)
        self._told = {one: others for one, others in self._told.items() if one in known}
        # (2) Look at the next of them, a page at a time, until nothing answers any more.
        chosen = self._next(held)
        total, looked = DriftRound(), _Looked()
        for start in range(0, len(chosen), AT_ONCE):
            page = chosen[start : start + AT_ONCE]
            if not await self._look_at(page, looked, total):
                break
        if total.unjudged:
            log.warning("approvals_not_judged", approvals=total.unjudged)
        # (3) Confirm what holds, withdraw what doesn't, and let rest what waits for that.
        oldest = self._max_age * CONFIRM_SHARE
        due = [one for one in looked.good if one.evidence_age(now) > oldest]
        await self._confirm(due, now)
        await self._conclude(looked, total, now, known)
        return total

    async def look_up(self, approval: Approval) -> None:
        """Do as a round does about one approval, for whoever is about to use it."""
        now, looked, total = self._clock.now(), _Looked(), DriftRound()
        await self._look_at([approval], looked, total)
        await self._confirm(looked.good, now)
        await self._conclude(looked, total, now, None)

    def _next(self, held: Sequence[Approval]) -> list[Approval]:
        """Return the approvals of this round; after the last of all, a pass begins anew."""
        ahead = [one for one in held if one.record_id > self._after]
        if not ahead or not self._after:
            ahead, self._pass = list(held), self._pass + 1
        chosen = ahead[: self._most]
        self._after = chosen[-1].record_id if len(chosen) < len(ahead) else ""
        return chosen

    async def _look_at(self, page: Sequence[Approval], looked: _Looked, total: DriftRound) -> bool:
        """Add to `looked` what was found; return whether there is a point in asking on."""
        answers = await asyncio.gather(*map(self._answer, page))
        silent = 0
        for one, answer in zip(page, answers, strict=True):
            if isinstance(answer, GuardError):
                total.unanswered += 1
                silent += answer.transient
                continue
            if isinstance(answer, NotJudged):
                # Its evidence holds; only the policies had no answer.
                total.unjudged += 1
                looked.good.append(one)
                continue
            total.looked_at += 1
            before = self._drifted.pop(one.record_id, None)
            if answer is not None:
                since = before.since if before is not None else self._pass
                self._drifted[one.record_id] = _Drifted(one, answer, since)
                looked.drifted.append(one)
            else:
                looked.good.append(one)
        if silent < len(page):
            return True
        log.warning("drift_not_looked_at", error=str(answers[-1]))
        return False

    async def _answer(self, approval: Approval) -> str | NotJudged | GuardError | None:
        try:
            reason = await self._reason(approval)
            if reason is not None:
                return reason
            return await self._rejudging.reason(approval, now=self._clock.now())
        except GuardError as error:
            return error

    async def _reason(self, approval: Approval) -> str | None:
        """Return why the evidence of an approval no longer holds, if so."""
        person = await self._directory.person(approval.object_id)
        if person is None:
            return f"The Entra user {_name(approval)} no longer exists."
        told = approval.evidence.get("object_upn")
        if person.upn is not None and _differs(told, person.upn):
            return f"The Entra user {told} now has the sign-in name {person.upn}."
        address = approval.address
        holders = await confirmed_holders(address, self._directory, known=person)
        if person.object_id not in holders:
            moved = await self._moved_to(address, holders)
            return f"The Entra user {_name(approval)} no longer holds {address}; {moved}."
        found = whose(holders.values(), address)
        if person not in found.whose:
            own = ", ".join(sorted(map(str, found.whose)))
            return f"The address {address} is that of {own} now, not of {_name(approval)}."
        # `mail` may be put on any object: where it alone speaks, the one who was approved keeps it.
        if len(found.whose) > 1 and person.owns(address):
            return f"{len(found.whose)} users of Entra hold the address {address}."
        self._tell_of_others(approval, person, holders)
        # Whoever is neither a queue nor a team is looked up as a person: a type that is not known
        # must not let the owner go unseen.
        if approval.owner_type in (OwnerType.QUEUE, OwnerType.TEAM):
            return None
        return await self._owner_reason(approval, person)

    async def _moved_to(self, address: str, holders: Mapping[str, Person]) -> str:
        """Return who holds an address instead, in words."""
        others: Collection[Person] = holders.values()
        if not others:
            # That this isn't told changes nothing.
            with contextlib.suppress(GuardError):
                others = await self._directory.others_holding(address)
        named = ", ".join(sorted(map(str, others)))
        return f"{named} does" if named else "nobody does"

    def _tell_of_others(
        self, approval: Approval, person: Person, holders: Mapping[str, Person]
    ) -> None:
        """Say once which other objects carry somebody's mail; that alone ends nothing."""
        others = frozenset(holders) - {person.object_id}
        if others and self._told.get(approval.record_id) != others:
            log.warning(
                "address_carried_by_others",
                record_id=approval.record_id,
                object_id=person.object_id,
                others=sorted(others),
            )
        if others:
            self._told[approval.record_id] = others
        else:
            self._told.pop(approval.record_id, None)

    async def _owner_reason(self, approval: Approval, person: Person) -> str | None:
        user = await self._rows.user(approval.owner_id)
        if user is None:
            return f"The owner {approval.owner_id} is no user of Dataverse."
        told = approval.evidence.get("owner_upn")
        if _differs(told, user.upn):
            return f"The owner {told} now has the sign-in name {user.upn or 'none'}."
        if user.application_id is not None:
            return f"The owner {told or user.id} is now an application."
        # Whom the row names must be told by its object id: a sign-in name alone can be chosen.
        if user.object_id is None or fold(user.object_id) != fold(person.object_id):
            return f"The Entra user {_name(approval)} is no longer the owner's own object."
        return None

    async def _confirm(self, good: Sequence[Approval], now: datetime) -> None:
        if good:
            await self._database.write(
                lambda c: recall.confirm(c, good, now=now), failpoint=recall.CONFIRMED
            )

    async def _conclude(
        self, looked: _Looked, total: DriftRound, now: datetime, known: set[str] | None
    ) -> None:
        """Withdraw what may be withdrawn, and let rest what may not yet.

        `known` are all approved mailboxes; None where they were not read.
        """
        async with self._concluding:
            stopped = await self._database.read(lambda c: stops.list_of(c, WITHDRAWALS.name, ""))
            released = {one.subject for one in stopped if one.released_at is not None}
            # (1) Stop before the first withdrawal when it would be too many within a day.
            is_braked = await self._pulls_brake(total, released, now)
            due = [] if is_braked else self._due(looked.drifted)
            due += [one for one in self._drifted if one in released and one not in due]
            # (2) Withdraw, each only if it is still held on the evidence that was looked at.
            for record_id in due:
                drifted = self._drifted.pop(record_id, None)
                if drifted is not None:
                    await self._withdraw(drifted, total, is_released=record_id in released)
            # (3) What waits rests; what was withdrawn, or holds after all, rests no longer.
            ended = {*due, *(one.record_id for one in looked.good)} - self._drifted.keys()
            if known is not None:
                ended |= {one.subject for one in stopped} - known
            await self._let_rest(stopped, ended, now)

    async def _let_rest(
        self, stopped: Sequence[stops.Stop], ended: Collection[str], now: datetime
    ) -> None:
        resting = {one.subject for one in stopped}
        new = [
            stops.Stopped(record_id, record_id, one.reason)
            for record_id, one in self._drifted.items()
            if record_id not in resting
        ]
        over = sorted(resting.intersection(ended))
        if not new and not over:
            return

        def write(connection: Connection) -> None:
            stops.add(connection, WITHDRAWALS.name, "", new, now=now)
            stops.end(connection, WITHDRAWALS.name, "", over)

        await self._database.write(write, failpoint=stops.STOPPED)

    def _due(self, found: Sequence[Approval]) -> list[str]:
        """Return what may be withdrawn now: many wait until a pass has counted all that drifted."""
        ids = [one.record_id for one in found]
        if len(ids) <= FEW or not self._after:
            return ids
        return [one for one in ids if self._drifted[one].since < self._pass]

    async def _pulls_brake(
        self, total: DriftRound, released: Collection[str], now: datetime
    ) -> bool:
        """Count together what drifted and waits, and what was withdrawn for that within a day."""
        drifted = len(self._drifted.keys() - set(released))
        if not drifted:
            return False
        since = now - (WITHDRAWALS.window or timedelta())
        held, withdrawn = await self._database.read(
            lambda c: (
                len(approvals.list_approved(c, now=now)),
                approvals.count_withdrawn(c, cause=WithdrawalCause.EVIDENCE, since=since),
            )
        )
        braked = WITHDRAWALS.check(drifted + withdrawn, held)
        if braked is None:
            return False
        total.brake, total.drifted, total.withdrawn_before = braked, drifted, withdrawn
        log.error(
            "drift_stopped",
            drifted=drifted,
            withdrawn_within_a_day=withdrawn,
            record_ids=sorted(self._drifted)[:MOST_NAMED],
            release=WITHDRAWALS.release.value,
        )
        self._metrics.watched("brake")
        return True

    async def _withdraw(self, drifted: _Drifted, total: DriftRound, *, is_released: bool) -> None:
        """Withdraw what is still held on the evidence that was looked at."""
        now, approval = self._clock.now(), drifted.approval
        reason = f"{drifted.reason} {ANEW}"
        cause = WithdrawalCause.RELEASED if is_released else WithdrawalCause.EVIDENCE

        def write(connection: Connection) -> int | None:
            held = approvals.find(connection, approval.record_id)
            if held is None or (held.epoch, held.evidence) != (approval.epoch, approval.evidence):
                return None
            return approvals.withdraw(
                connection,
                record_id=approval.record_id,
                cause=cause,
                reason=reason,
                now=now,
            )

        if await self._database.write(write, failpoint=DRIFTED) is None:
            return
        total.withdrawn += 1
        self._metrics.watched("drift")
        log.warning("approval_drifted", record_id=approval.record_id, reason=reason)


def _name(approval: Approval) -> str:
    return str(approval.evidence.get("object_upn") or approval.object_id)


def _differs(told: object, now: str | None) -> bool:
    """Return whether a name in the evidence changed; one that isn't in it proves nothing."""
    return isinstance(told, str) and bool(told) and (now is None or fold(told) != fold(now))
