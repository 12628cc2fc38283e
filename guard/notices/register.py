"""Who was told what, and how often: what bounds notices, in our own database.

A notice takes its turn before it is given, so that neither a repeat nor a flood of deliveries gives
more than is allowed, however many processes give notices and wherever one of them dies.

    about      what a refusal is about: the row, the rules, the answer; a digest, no personal value
    edit       what one person did at once, which several rows show: Dataverse's correlation id
    budget     whose turns are counted together: what deliveries told, and what the guard saw itself
    turn       the right to give one notice
    untold     refusals of a person that were left out, and that no later notice has counted yet
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Index,
    Table,
    Text,
    delete,
    func,
    or_,
    select,
    text,
    tuple_,
    update,
)

from kernel.database import insert
from kernel.digest import sha256_hex
from kernel.tables import Instant, Word, metadata
from kernel.words import DocumentedWord

SAME_WITHIN = timedelta(minutes=10)
WINDOW = timedelta(hours=1)
MOST_PER_PERSON = 5
MOST_IN_ALL = 120
_KEPT = timedelta(days=2)
# No turn may keep the writer for long, whatever a flood has left behind.
_MOST_FORGOTTEN = 200
_MOST_COUNTED = 999


class TurnState(DocumentedWord):
    """What became of a notice."""

    TAKEN = "taken", "It is about to be given, or was being given when a process died."
    SENDING = "sending", "It is being sent over a channel into which nobody can look."
    UNKNOWN = "unknown", "Whether it arrived is not known, and it is not sent again."
    GIVEN = "given", "It was given."
    REPEATED = "repeated", "The person was told of the same within ten minutes."
    LEFT_OUT = "left-out", "It was not given, as too many were; the next one says how many."
    COUNTED = "counted", "It was not given, and a later one said so."
    REFUSED = "refused", "Dataverse gives none for the guard; until it does, no other is tried."
    ABSENT = "absent", "There is no such channel in the organisation."
    NOBODY = "nobody", "There is nobody to tell: an application, or no user at all."


# A turn that still goes on.
OPEN = (TurnState.TAKEN, TurnState.SENDING, TurnState.REFUSED)
_TOLD = (*OPEN, TurnState.GIVEN, TurnState.UNKNOWN)

notices = Table(
    "guard_notices",
    metadata,
    Column("channel", Text, primary_key=True),
    Column("decision_id", Text, primary_key=True),
    Column("person_id", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("edit", Text),
    Column("budget", Text, nullable=False),
    Column("state", Word(TurnState), nullable=False),
    Column("at", Instant, nullable=False),
    # By the state before the moment: however many are left out, what was told is found at once.
    Index("ix_guard_notices_person", "channel", "person_id", "state", "at"),
    Index("ix_guard_notices_budget", "channel", "budget", "state", "at"),
    Index("ix_guard_notices_at", "at"),
)

_ONE_AT_A_TIME = text("LOCK TABLE guard_notices IN SHARE ROW EXCLUSIVE MODE")


@dataclass(frozen=True, slots=True)
class Asked:
    """A notice that asks for its turn; of `person_id` no more than `most` are told in an hour."""

    channel: str
    decision_id: str
    person_id: str
    about: str
    edit: str | None
    budget: str
    most: int = MOST_PER_PERSON


@dataclass(frozen=True, slots=True)
class Turn:
    """The answer: what became of it, how many the person was not told of, the decision told of.

    `since` is when the turn was taken, by our own clock.
    """

    asked: Asked
    state: TurnState
    since: datetime
    untold: int = 0
    same_as: str | None = None


def about(table: str, record_id: str, outcome: str, rules: Sequence[str]) -> str:
    """Return what a refusal is about, as a digest."""
    return sha256_hex("\n".join((table, record_id, outcome, *sorted(rules))).encode())


def take_turn(connection: Connection, asked: Asked, *, now: datetime) -> Turn:
    """Return whether a notice may be given now; asked again for the same, what was said before."""
    if connection.dialect.name == "postgresql":
        # Two processes that count at the same time would each find room for one more.
        connection.execute(_ONE_AT_A_TIME)
    known = connection.execute(
        select(notices.c.state, notices.c.at).where(
            notices.c.channel == asked.channel, notices.c.decision_id == asked.decision_id
        )
    ).one_or_none()
    if known is not None:
        untold = _untold(connection, asked) if known.state in OPEN else 0
        return Turn(asked, known.state, known.at, untold=untold)
    same_as = _same(connection, asked, now=now)
    if same_as is not None:
        state = TurnState.REPEATED
    elif _is_spent(connection, asked, now=now):
        state = TurnState.LEFT_OUT
    else:
        state = TurnState.TAKEN
    _forget(connection, now=now)
    connection.execute(
        insert(connection, notices).values(
            channel=asked.channel,
            decision_id=asked.decision_id,
            person_id=asked.person_id,
            about=asked.about,
            edit=asked.edit,
            budget=asked.budget,
            state=state,
            at=now,
        )
    )
    untold = _untold(connection, asked) if state is TurnState.TAKEN else 0
    return Turn(asked, state, now, untold=untold, same_as=same_as)


def end_turn(connection: Connection, turn: Turn, state: TurnState) -> None:
    """Write down what became of a notice that had its turn, and what it counted of those before."""
    asked = turn.asked
    connection.execute(
        update(notices)
        .where(notices.c.channel == asked.channel, notices.c.decision_id == asked.decision_id)
        .values(state=state)
    )
    if state is TurnState.GIVEN and turn.untold:
        oldest = (
            select(notices.c.decision_id)
            .where(*_left_out(asked))
            .order_by(notices.c.at, notices.c.decision_id)
            .limit(turn.untold)
        )
        connection.execute(
            update(notices)
            .where(notices.c.channel == asked.channel, notices.c.decision_id.in_(oldest))
            .values(state=TurnState.COUNTED)
        )


def _forget(connection: Connection, *, now: datetime) -> None:
    oldest = (
        select(notices.c.channel, notices.c.decision_id)
        .where(notices.c.at < now - _KEPT)
        .limit(_MOST_FORGOTTEN)
    )
    key = tuple_(notices.c.channel, notices.c.decision_id)
    connection.execute(delete(notices).where(key.in_(oldest)))


def another_is_refused(connection: Connection, asked: Asked) -> bool:
    """Return whether the notice of another decision found that none is given for the guard.

    That one is tried again each hour; one question is enough to find out whether it is mended.
    """
    refused = select(notices.c.decision_id).where(
        notices.c.channel == asked.channel,
        notices.c.state == TurnState.REFUSED,
        notices.c.decision_id != asked.decision_id,
    )
    return connection.execute(refused.limit(1)).first() is not None


def _same(connection: Connection, asked: Asked, *, now: datetime) -> str | None:
    is_same = notices.c.about == asked.about
    if asked.edit is not None:
        is_same = or_(is_same, notices.c.edit == asked.edit)
    found: str | None = connection.scalar(
        select(notices.c.decision_id)
        .where(
            notices.c.channel == asked.channel,
            notices.c.person_id == asked.person_id,
            is_same,
            notices.c.state.in_(_TOLD),
            notices.c.at > now - SAME_WITHIN,
        )
        .limit(1)
    )
    return found


def _is_spent(connection: Connection, asked: Asked, *, now: datetime) -> bool:
    told = (
        select(func.count())
        .select_from(notices)
        .where(
            notices.c.channel == asked.channel,
            notices.c.state.in_(_TOLD),
            notices.c.at > now - WINDOW,
        )
    )
    of_person = connection.scalar(told.where(notices.c.person_id == asked.person_id)) or 0
    in_all = connection.scalar(told.where(notices.c.budget == asked.budget)) or 0
    return of_person >= asked.most or in_all >= MOST_IN_ALL


def _untold(connection: Connection, asked: Asked) -> int:
    some = select(notices.c.decision_id).where(*_left_out(asked)).limit(_MOST_COUNTED).subquery()
    return int(connection.scalar(select(func.count()).select_from(some)) or 0)


def _left_out(asked: Asked) -> tuple[ColumnElement[bool], ...]:
    return (
        notices.c.channel == asked.channel,
        notices.c.person_id == asked.person_id,
        notices.c.state == TurnState.LEFT_OUT,
    )
