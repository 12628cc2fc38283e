"""A decision as it was recorded, read back: the change, the facts and what was answered then.

It is read from rows of the ledger and from lines of an export (or the answer of `decisions show
--output json`), both in the form of `rules.replay.ledger_format`.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, NamedTuple, TypeAlias

import msgspec

from rules.model.change import Change, Facts, overlaid
from rules.model.decision import Outcome
from rules.model.errors import RecordUnreadable
from rules.replay.ledger_format import (
    MOMENT,
    PrivatePart,
    PublicPart,
    ValueUnreadable,
    decode_private,
    decode_public,
    moment_of,
    values_from,
)

OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)
OWN_LAWS: Final = "guard/"
"""How the ids of the guard's own laws begin; no policy makes or unmakes what they decide."""


Row: TypeAlias = "tuple[str, int, str, str, str, str, str | None]"
"""A decision in the ledger: id, moment in microseconds since 1970, outcome, table, record, and the
texts of the rest of its public part and of its private part."""


class _Line(PublicPart, gc=False, kw_only=True):
    id: str
    decided_at: Annotated[datetime, msgspec.Meta(tz=True)]
    decision: str
    table: str
    record_id: str
    private: PrivatePart | msgspec.UnsetType | None = msgspec.UNSET


class _Head(NamedTuple):
    id: str
    at: datetime
    decision: str
    table: str
    record_id: str


class PastDecision(msgspec.Struct, frozen=True, gc=False):
    """What was decided, and what it was decided on.

    `released` are the rules whose hold an approver had released, as the hold `hold_id`.
    """

    id: str
    now: datetime
    outcome: str
    rules: tuple[str, ...]
    deferred: tuple[str, ...]
    policy_set: str | None
    change: Change
    facts: Facts
    released: tuple[str, ...] = ()
    hold_id: str = ""


class Obstacle(StrEnum):
    """Why a record cannot be decided again; the value is what people read."""

    MASKED = "its private part was masked"
    NOT_EXPORTED = "it was exported without its private part"
    CONFIRMS = "it confirms an earlier decision, which has the facts"
    NOT_JUDGED = "no policy judged it"
    OWN_LAW = "a law of the guard itself decided it"
    NO_VALUE = "it holds what no record can hold"


class Unreplayable(Exception):
    """A record that cannot be decided again."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(obstacle.value)
        self.obstacle = obstacle


_decode_line: Final = msgspec.json.Decoder(_Line).decode


def past_from(row: Row) -> PastDecision:
    """Return the decision that a row of the ledger tells. Raises Unreplayable."""
    decision_id, decided_at, decision, table, record_id, public, private = row
    try:
        stated = decode_public(public)
        if stated.confirms is not None:
            raise Unreplayable(Obstacle.CONFIRMS)
        if private is None:
            raise Unreplayable(Obstacle.MASKED)
        head = _Head(decision_id, moment_of(decided_at), decision, table, record_id)
        return _past(head, stated, decode_private(private), has_moments=MOMENT in private)
    except (msgspec.MsgspecError, ValueUnreadable):
        raise Unreplayable(Obstacle.NO_VALUE) from None


def confirmed_by(public: str) -> str | None:
    """Return the id of the decision that a record merely confirms, if it does."""
    try:
        return decode_public(public).confirms
    except msgspec.MsgspecError:
        return None


def read_line(text: str | bytes, *, where: str) -> tuple[str, PastDecision | Obstacle]:
    """Return the id of an exported decision with the decision, or why it can't be decided again.

    Raises RecordUnreadable for what is no exported decision.
    """
    try:
        line = _decode_line(text)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise RecordUnreadable(
            f"{where} is not an exported decision: {error}.",
            hint="`mailbox-guard decisions show ID --output json` writes one.",
        ) from error
    try:
        if line.confirms is not None:
            raise Unreplayable(Obstacle.CONFIRMS)
        if line.private is None:
            raise Unreplayable(Obstacle.MASKED)
        if isinstance(line.private, msgspec.UnsetType):
            raise Unreplayable(Obstacle.NOT_EXPORTED)
        head = _Head(line.id, line.decided_at, line.decision, line.table, line.record_id)
        return line.id, _past(head, line, line.private, has_moments=True)
    except ValueUnreadable:
        return line.id, Obstacle.NO_VALUE
    except Unreplayable as error:
        return line.id, error.obstacle


def _past(
    head: _Head, stated: PublicPart, private: PrivatePart, *, has_moments: bool
) -> PastDecision:
    before, facts, request = private.before, private.facts, private.request
    altered = private.altered if private.altered is not None else private.after
    if before is None or altered is None or stated.operation is None:
        raise Unreplayable(Obstacle.NOT_JUDGED)
    if head.decision not in OUTCOMES:
        raise Unreplayable(Obstacle.NOT_JUDGED)
    rules = stated.rules
    if rules and rules[0].startswith(OWN_LAWS):
        raise Unreplayable(Obstacle.OWN_LAW)
    if has_moments:
        before, altered, facts, request = map(values_from, (before, altered, facts, request))
    return PastDecision(
        head.id,
        head.at,
        head.decision,
        tuple(rules),
        tuple(stated.deferred),
        stated.policy_set,
        overlaid(
            head.table, stated.operation, head.record_id, before=before, altered=altered,
            sent=frozenset(private.sent), request=request,
        ),
        Facts(facts, private.missing),
        tuple(stated.released),
        stated.hold_id or "",
    )  # fmt: skip
