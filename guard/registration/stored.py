"""What was registered, by whom, and what was accepted: one row, which `serve` compares with.

What was found to differ without a person's word is kept here too, so that every process of an
installation grants nothing until a person has looked, whatever became of it meanwhile (law 17).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Column, Connection, Integer, Table, Text, delete, select, update

from guard.ports.registry import Endpoint, Image, Registration, Step, Surroundings
from guard.registration.desired import StepChoice
from guard.registration.deviation import Deviation, DeviationKind, Part
from guard.registration.pause import Pause
from kernel import acts
from kernel.acts import ActKind
from kernel.database import insert
from kernel.digest import canonical_json
from kernel.failpoints import failpoint
from kernel.principal import Principal
from kernel.tables import Instant, Json, Word, metadata

INTENDED = failpoint(
    "guard.registration-intended", "What is going to be registered is written down."
)
REMEMBERED = failpoint(
    "guard.registration-remembered", "What was registered, accepted or removed is written down."
)
WATCHED = failpoint(
    "guard.registration-watched", "What differs from what was registered is written down."
)
_ONLY = 1

registration = Table(
    "guard_registration",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("endpoint_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("choice", Word(StepChoice), nullable=False),
    Column("key_digest", Text),
    Column("wanted", Json, nullable=False),
    Column("surroundings", Json, nullable=False),
    Column("accepted", Json, nullable=False),
    Column("named_by", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("is_finished", Boolean, nullable=False),
    Column("deviations", Json, nullable=False),
    Column("outdated", Json, nullable=False),
    Column("pause", Json),
    Column("suspected_at", Instant),
)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What was registered and accepted, and what has been found since.

    `key_digest` tells which key was sent, None where that is not known. `accepted` are identities
    of deviations that a person accepts. `deviations` differ without a word; `outdated` are what
    newer policies, or a newer version of the guard, want registered. Since `suspected_at` nothing
    is granted, until a person registers or accepts.
    """

    endpoint_id: str
    url: str
    choice: StepChoice
    key_digest: str | None
    wanted: Registration
    surroundings: Surroundings
    accepted: frozenset[str]
    by: str
    at: datetime
    is_finished: bool
    deviations: tuple[Deviation, ...] = ()
    outdated: tuple[Deviation, ...] = ()
    pause: Pause | None = None
    suspected_at: datetime | None = None


def find(connection: Connection) -> Remembered | None:
    """Return what is remembered; None where nothing was ever registered, or it was removed."""
    row = connection.execute(select(registration)).first()
    if row is None:
        return None
    return Remembered(
        endpoint_id=row.endpoint_id,
        url=row.url,
        choice=row.choice,
        key_digest=row.key_digest,
        wanted=_registration_from(row.wanted),
        surroundings=Surroundings(**row.surroundings),
        accepted=frozenset(row.accepted),
        by=row.named_by,
        at=row.at,
        is_finished=row.is_finished,
        deviations=tuple(_deviation_from(one) for one in row.deviations),
        outdated=tuple(_deviation_from(one) for one in row.outdated),
        pause=None if row.pause is None else _pause_from(row.pause),
        suspected_at=row.suspected_at,
    )


def intend(
    connection: Connection,
    wanted: Registration,
    surroundings: Surroundings,
    *,
    choice: StepChoice,
    key_digest: str | None,
    by: Principal,
    now: datetime,
) -> None:
    """Write down what is going to be registered, with whoever does it."""
    endpoint = wanted.endpoint
    if endpoint is None:
        raise ValueError("Nothing is registered without an endpoint.")
    acts.append_word(connection, ActKind.REGISTRATION, endpoint.id, by, now=now, reason="begun")
    connection.execute(delete(registration))
    connection.execute(
        insert(connection, registration).values(
            id=_ONLY,
            endpoint_id=endpoint.id,
            url=endpoint.url,
            choice=choice,
            key_digest=key_digest,
            wanted=_stored(asdict(wanted)),
            surroundings=_stored(asdict(surroundings)),
            accepted=[],
            named_by=by.name,
            at=now,
            is_finished=False,
            deviations=[],
            outdated=[],
            pause=None,
            suspected_at=None,
        )
    )


def finish(connection: Connection, *, key_digest: str) -> None:
    """Write down that it is registered, and that this is the key that is sent."""
    connection.execute(
        update(registration).values(
            is_finished=True, key_digest=key_digest, deviations=[], outdated=[], suspected_at=None
        )
    )


def accept(
    connection: Connection,
    present: Sequence[Deviation],
    surroundings: Surroundings,
    *,
    by: Principal,
    reason: str,
    now: datetime,
) -> None:
    """Write down that a person accepts what differs now, and the surroundings as they are.

    Differences that were accepted before and are no more are forgotten.
    """
    known = find(connection)
    if known is None:
        raise ValueError("Nothing was registered that could differ.")
    told = canonical_json([reason, sorted(one.text for one in present)]).decode()
    acts.append_word(connection, ActKind.ACCEPTANCE, known.endpoint_id, by, now=now, reason=told)
    connection.execute(
        update(registration).values(
            accepted=sorted(one.identity for one in present),
            surroundings=_stored(asdict(surroundings)),
            deviations=[],
            suspected_at=None,
        )
    )


def forget(connection: Connection, *, by: Principal, now: datetime) -> None:
    """Write down that nothing is registered any more."""
    known = find(connection)
    if known is not None:
        acts.append_word(
            connection, ActKind.REGISTRATION, known.endpoint_id, by, now=now, reason="removed"
        )
        connection.execute(delete(registration))


def note(
    connection: Connection,
    *,
    deviations: Sequence[Deviation],
    outdated: Sequence[Deviation],
    pause: Pause | None,
    now: datetime,
) -> None:
    """Write down what was found. What began to differ, and each pause, stand in the record."""
    # Two processes find the same at the same time; what they append is told once.
    acts.hold(connection)
    known = find(connection)
    if known is None or not known.is_finished:
        return
    suspected_at = known.suspected_at
    newly = {one.identity for one in deviations} - {one.identity for one in known.deviations}
    if newly:
        suspected_at = suspected_at or now
        texts = [one.text for one in deviations if one.identity in newly]
        _append(connection, ActKind.TAMPERING, known.endpoint_id, texts, now=now)
    if pause != known.pause:
        told = None if pause is None else _stored(asdict(pause))
        _append(connection, ActKind.BREAK_GLASS, known.endpoint_id, told, now=now)
    connection.execute(
        update(registration).values(
            deviations=[_stored(asdict(one)) for one in deviations],
            outdated=[_stored(asdict(one)) for one in outdated],
            pause=None if pause is None else _stored(asdict(pause)),
            suspected_at=suspected_at,
        )
    )


def why_nothing_is_granted(connection: Connection) -> str | None:
    """Return why no approval may be granted now, None where nothing speaks against it."""
    since = connection.scalar(select(registration.c.suspected_at))
    if since is None:
        return None
    return (
        "What is registered in Dataverse differed from what was accepted, since "
        f"{since.isoformat(timespec='seconds')}: `mailbox-guard dataverse status`."
    )


def _append(
    connection: Connection, kind: ActKind, subject: str, told: Any, *, now: datetime
) -> None:
    acts.append(connection, kind, subject, now=now, private=canonical_json(told).decode())


def _stored(value: Any) -> Any:
    """Return a value as JSON has it: sets sorted, tuples as lists, moments as texts."""
    if isinstance(value, Mapping):
        return {key: _stored(one) for key, one in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, list | tuple):
        return [_stored(one) for one in value]
    return value.isoformat() if isinstance(value, datetime) else value


def _registration_from(stored: Mapping[str, Any]) -> Registration:
    endpoint = stored["endpoint"]
    return Registration(
        None if endpoint is None else Endpoint(**endpoint),
        tuple(_step_from(one) for one in stored["steps"]),
    )


def _step_from(stored: Mapping[str, Any]) -> Step:
    images = tuple(
        Image(**{**one, "attributes": frozenset(one["attributes"])}) for one in stored["images"]
    )
    columns = frozenset(stored["filteringattributes"])
    return Step(**{**stored, "filteringattributes": columns, "images": images})


def _deviation_from(stored: Mapping[str, Any]) -> Deviation:
    values: dict[str, Any] = {
        name: tuple(one) if isinstance(one, list) else one for name, one in stored.items()
    }
    values |= {"part": Part(stored["part"]), "kind": DeviationKind(stored["kind"])}
    return Deviation(**values)


def _pause_from(stored: Mapping[str, Any]) -> Pause:
    moments = {name: datetime.fromisoformat(stored[name]) for name in ("since", "until")}
    return Pause(**{**stored, **moments})
