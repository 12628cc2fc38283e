"""Who stands behind the id of a system user, as far as the guard's copies of user rows say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection, func, or_, select

from guard.columns.table import SYSTEMUSER
from guard.ledger import mirror
from guard.ledger.codec import text_of
from guard.ledger.tables import mirror as copies
from rules.operators.fields import fold


@dataclass(frozen=True, slots=True)
class KnownUser:
    """A system user by name and sign-in name; what is None is not known."""

    name: str | None = None
    upn: str | None = None


NOBODY = KnownUser()


def list_people(connection: Connection, ids: Iterable[str]) -> dict[str, KnownUser]:
    """Return the people that are known among these ids of system users."""
    rows = mirror.list_by_ids(connection, SYSTEMUSER.name, ids)
    return {
        one: KnownUser(row.name, _text(row.columns.get("domainname"))) for one, row in rows.items()
    }


def find_ids(connection: Connection, name: str) -> list[str]:
    """Return the ids of the system users with this sign-in name, address or name."""
    wanted = fold(name.strip())
    # The copy is one text: the sign-in name is looked for as it stands there, whatever its case.
    stored = f'"domainname":{text_of(wanted)}'
    rows = connection.execute(
        select(copies.c.record_id).where(
            copies.c.table_name == SYSTEMUSER.name,
            or_(
                copies.c.address == wanted,
                func.lower(copies.c.name) == wanted,
                func.lower(copies.c.columns).contains(stored, autoescape=True),
            ),
        )
    )
    return list(rows.scalars())


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
