"""Sign-ins under way: what is kept while a browser is at Entra, sealed with what it took along.

Each is taken once. Who reads the database learns neither state nor code verifier, and who brings
an answer from another browser finds nothing.
"""

from __future__ import annotations

import base64
import json
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import Connection, delete, func, insert, select

from console.sign_in.tables import sign_ins
from kernel.digest import sha256_hex

LASTS = timedelta(minutes=10)
MOST = 1000
_LONGEST_TICKET = 64


def sealed(ticket: str, kept: dict[str, Any]) -> str:
    """Return what is kept in a form that only the ticket opens."""
    return _seal(ticket).encrypt(json.dumps(kept).encode()).decode()


def opened(ticket: str, text: str) -> dict[str, Any] | None:
    """Return what was sealed with the ticket; None where it does not fit."""
    try:
        kept: dict[str, Any] = json.loads(_seal(ticket).decrypt(text.encode()))
    except (InvalidToken, ValueError):
        return None
    return kept


def keep(connection: Connection, ticket: str, text: str, *, now: datetime) -> None:
    """Keep what was sealed for a while; beyond a bound the oldest are forgotten."""
    connection.execute(delete(sign_ins).where(sign_ins.c.until <= now))
    connection.execute(
        insert(sign_ins).values(digest=_digest(ticket), until=now + LASTS, sealed=text)
    )
    if (connection.scalar(select(func.count()).select_from(sign_ins)) or 0) > MOST:
        newest_first = select(sign_ins.c.digest).order_by(sign_ins.c.until.desc())
        beyond = connection.scalars(newest_first.offset(MOST).limit(MOST)).all()
        connection.execute(delete(sign_ins).where(sign_ins.c.digest.in_(beyond)))


def take(connection: Connection, ticket: str, *, now: datetime) -> str | None:
    """Return what was kept for the ticket, once; None where there is nothing."""
    mine = sign_ins.c.digest == _digest(ticket)
    row = connection.execute(
        delete(sign_ins).where(mine).returning(sign_ins.c.sealed, sign_ins.c.until)
    ).first()
    return row.sealed if row is not None and now < row.until else None


def _digest(ticket: str) -> str:
    return sha256_hex(f"ticket\n{ticket[:_LONGEST_TICKET]}".encode())


def _seal(ticket: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(sha256(f"seal\n{ticket}".encode()).digest()))
