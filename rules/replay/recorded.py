"""A decision as it was recorded, read back: the change, the facts and what was answered then.

Read are rows of the ledger and lines of an export (or the answer of `decisions show --output
json`). Only what replaying needs is decoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

import msgspec

from rules.model.change import Change, Facts, Value, overlaid
from rules.model.decision import Outcome
from rules.model.errors import RecordUnreadable

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MOMENT: Final = "$at"
"""What a recorded moment is marked by; a text without it holds none."""
OUTCOMES: Final = frozenset(outcome.value for outcome in Outcome)
OWN_LAWS: Final = "guard/"
"""How the ids of the guard's own laws begin; no policy makes or unmakes what they decide."""


Row: TypeAlias = "tuple[str, int, str, str, str, str, str | None]"
"""A decision in the ledger: id, moment in microseconds since 1970, outcome, table, record, and the
texts of the rest of its public part and of its private part."""


class PublicPart(msgspec.Struct, gc=False):
    """What replaying reads of the rest of the public part."""

    operation: str | None = None
    rules: list[str] = msgspec.field(default_factory=list)
    policy_set: str | None = None
    deferred: list[str] = msgspec.field(default_factory=list)
    confirms: str | None = None


class PrivatePart(msgspec.Struct, gc=False):
    """What replaying reads of the private part; `after` whole, or `altered` against before."""

    before: dict[str, Any] | None = None
    altered: dict[str, Any] | None = None
    after: dict[str, Any] | None = None
    sent: list[str] = msgspec.field(default_factory=list)
    request: dict[str, Any] = msgspec.field(default_factory=dict)
    facts: dict[str, Any] = msgspec.field(default_factory=dict)
    missing: dict[str, str] = msgspec.field(default_factory=dict)


class PrivateHead(msgspec.Struct, gc=False):
    """The columns and facts of the private part; the rest stays text until somebody asks."""

    before: dict[str, Any] | None = None
    altered: dict[str, Any] | None = None
    facts: dict[str, Any] = msgspec.field(default_factory=dict)
    missing: dict[str, str] = msgspec.field(default_factory=dict)
    sent: msgspec.Raw = msgspec.Raw(b"[]")
    request: msgspec.Raw = msgspec.Raw(b"{}")


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
    """What was decided, and what it was decided on."""

    id: str
    now: datetime
    outcome: str
    rules: tuple[str, ...]
    deferred: tuple[str, ...]
    policy_set: str | None
    change: Change
    facts: Facts


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


decode_public: Final = msgspec.json.Decoder(PublicPart).decode
decode_private: Final = msgspec.json.Decoder(PrivatePart).decode
decode_head: Final = msgspec.json.Decoder(PrivateHead).decode
decode_names: Final = msgspec.json.Decoder(list[str]).decode
decode_values: Final = msgspec.json.Decoder(dict[str, Any]).decode
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
    except msgspec.MsgspecError:
        raise Unreplayable(Obstacle.NO_VALUE) from None


def confirmed_by(public: str) -> str | None:
    """Return the id of the decision that a record merely confirms, if it does."""
    try:
        return decode_public(public).confirms
    except msgspec.MsgspecError:
        return None


def moment_of(microseconds: int) -> datetime:
    """Return the moment so long after 1970. Raises Unreplayable for what is none."""
    try:
        return _EPOCH + timedelta(microseconds=microseconds)
    except (TypeError, OverflowError):
        raise Unreplayable(Obstacle.NO_VALUE) from None


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
    )  # fmt: skip


def values_from(stored: Mapping[str, Any]) -> dict[str, Value]:
    """Return columns or facts with their moments and lists as they were. Raises Unreplayable."""
    return {name: value_from(value) for name, value in stored.items()}


def value_from(stored: Any) -> Value:
    """Return the value that was recorded. Raises Unreplayable for what no record can hold."""
    if isinstance(stored, dict):
        return moment_of(stored.get(MOMENT))  # type: ignore[arg-type]
    if isinstance(stored, list | tuple):
        return tuple(value_from(item) for item in stored)
    if stored is None or isinstance(stored, str | int | float | bool):
        return stored
    raise Unreplayable(Obstacle.NO_VALUE)
