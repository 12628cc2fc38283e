"""Sessions: who is signed in at a browser, for how long, and when Entra is asked again.

A session is kept by the digest of its id. It ends when nobody used it for an hour, twelve hours
after it began, at sign-out, or when its person, or all people together, have newer ones beyond a
bound. What Entra said of a person counts for an hour. Each has a seal: a row that somebody else
wrote, or altered, is nobody's session.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from console.sign_in.seal import Seal
from console.sign_in.tables import sessions
from kernel.digest import sha256_hex
from kernel.principal import AppRole, Principal, Proof
from kernel.tables import microseconds

IDLE = timedelta(hours=1)
LONGEST = timedelta(hours=12)
# A page asks Entra anew some time before what it said ends, so that a form can still be sent.
ROLES_ASKED_AFTER = timedelta(minutes=45)
ROLES_COUNT_FOR = timedelta(hours=1)
MOST = 1000
MOST_OF_ONE = 10
_SEEN_APART = timedelta(minutes=1)
_BYTES = 32
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class Session:
    """One signed-in browser."""

    principal: Principal
    began_at: datetime
    seen_at: datetime

    def is_over(self, now: datetime) -> bool:
        """Return whether nobody is signed in with it any more."""
        return now >= self.began_at + LONGEST or now >= self.seen_at + IDLE

    def roles_count(self, now: datetime) -> bool:
        """Return whether what Entra said of the person still counts."""
        return self.principal.proof is not Proof.ENTRA or now < self.began_at + ROLES_COUNT_FOR

    def asks_again(self, now: datetime) -> bool:
        """Return whether Entra is to be asked again at the next page."""
        return self.principal.proof is Proof.ENTRA and now >= self.began_at + ROLES_ASKED_AFTER

    def is_seen_anew(self, now: datetime) -> bool:
        """Return whether its use is worth writing down."""
        return now >= self.seen_at + _SEEN_APART


def new_session_id() -> str:
    """Return an id that nobody can guess."""
    return secrets.token_urlsafe(_BYTES)


def digest_of(session_id: str) -> str:
    """Return the digest by which the database knows a session."""
    return sha256_hex(session_id.encode()) if len(session_id) <= _LONGEST_ID else ""


def begin(
    connection: Connection, session_id: str, principal: Principal, *, seal: Seal, now: datetime
) -> None:
    """Let a session begin; older ones beyond the bounds end, and what is over is forgotten."""
    forget_over(connection, now=now)
    person = principal.object_id or principal.proof.value
    digest, stored = digest_of(session_id), _stored(principal)
    connection.execute(
        insert(sessions).values(
            digest=digest,
            person=person,
            principal=stored,
            began_at=now,
            seen_at=now,
            seal=seal.on(digest, stored, microseconds(now)),
        )
    )
    mine = sessions.c.person == person
    _end_oldest(connection, select(sessions.c.digest).where(mine), MOST_OF_ONE)
    if (connection.scalar(select(func.count()).select_from(sessions)) or 0) > MOST:
        _end_oldest(connection, select(sessions.c.digest), MOST)


def find(connection: Connection, session_id: str, *, seal: Seal, now: datetime) -> Session | None:
    """Return the session of that id, unless it is over or its seal is not ours."""
    row = connection.execute(
        select(sessions).where(sessions.c.digest == digest_of(session_id))
    ).first()
    if row is None or not seal.fits(
        row.seal, row.digest, row.principal, microseconds(row.began_at)
    ):
        return None
    found = _session_of(row)
    return None if found.is_over(now) else found


def see(connection: Connection, session_id: str, *, now: datetime) -> None:
    """Write down that a session was used."""
    connection.execute(
        update(sessions).where(sessions.c.digest == digest_of(session_id)).values(seen_at=now)
    )


def end(connection: Connection, session_id: str) -> None:
    """Let a session end; nobody is signed in with it from the commit on."""
    connection.execute(delete(sessions).where(sessions.c.digest == digest_of(session_id)))


def forget_over(connection: Connection, *, now: datetime) -> None:
    """Forget every session that is over."""
    is_over = or_(sessions.c.began_at <= now - LONGEST, sessions.c.seen_at <= now - IDLE)
    connection.execute(delete(sessions).where(is_over))


def _end_oldest(connection: Connection, chosen: Any, most: int) -> None:
    newest_first = chosen.order_by(sessions.c.began_at.desc(), sessions.c.digest)
    beyond = connection.scalars(newest_first.offset(most).limit(MOST)).all()
    if beyond:
        connection.execute(delete(sessions).where(sessions.c.digest.in_(beyond)))


def _stored(principal: Principal) -> dict[str, Any]:
    return {
        "name": principal.name,
        "proof": principal.proof.value,
        "roles": sorted(role.value for role in principal.roles),
        "object_id": principal.object_id,
    }


def _session_of(row: Row[Any]) -> Session:
    told = row.principal
    principal = Principal(
        told["name"],
        Proof(told["proof"]),
        frozenset(AppRole(one) for one in told["roles"]),
        told["object_id"],
    )
    return Session(principal, row.began_at, row.seen_at)
