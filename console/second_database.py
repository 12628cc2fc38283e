"""Anchors in a second database, into which the guard may only insert.

Whoever owns the guard's database does not own this one. The table is made by its owner, not by the
guard, whose account needs INSERT alone; who verifies needs SELECT (docs/operations.md, Anchors).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from sqlalchemy import Column, MetaData, Table, Text, insert, select
from sqlalchemy.exc import SQLAlchemyError

from guard.ledger.anchor import Anchor, believed
from kernel.database import Database
from kernel.errors import GuardError, InputRefused, Unavailable
from kernel.failpoints import failpoint
from kernel.settings import PREFIX, Secret

SETTING: Final = f"{PREFIX}ANCHOR_DATABASE_URL"
APPENDED: Final = failpoint("anchor.second-database", "An anchor is put into a second database.")
_DEADLINE_SECONDS: Final = 15.0
_MOST_ANCHORS: Final = 2_000_000

# Of no room of ours: no migration makes it.
anchors = Table(
    "mailbox_guard_anchors",
    MetaData(),
    Column("made_at", Text, nullable=False),
    Column("line", Text, nullable=False),
)


class SecondDatabase:
    """The place of anchors in another database; it is opened when it is needed."""

    def __init__(self, url: Secret) -> None:
        self._url = url
        self._database: Database | None = None

    async def append(self, line: str, *, made_at: str) -> None:
        """Insert an anchor. Raises Unavailable when it can't be, naming no part of the URL."""
        try:
            await self._opened().write(
                lambda c: c.execute(insert(anchors).values(made_at=made_at, line=line)),
                failpoint=APPENDED,
                deadline_seconds=_DEADLINE_SECONDS,
            )
        except (GuardError, SQLAlchemyError) as error:
            self.close()
            raise _unavailable("take the anchor", error) from None

    def read(self) -> list[Anchor]:
        """Return every anchor, oldest first.

        Raises Unavailable when they can't be read, InputRefused for one that can't be believed.
        """
        chosen = select(anchors.c.line).order_by(anchors.c.made_at).limit(_MOST_ANCHORS)
        try:
            lines = self._opened().read_now(lambda c: list(c.scalars(chosen)))
        except (GuardError, SQLAlchemyError) as error:
            raise _unavailable("be read", error) from None
        finally:
            self.close()
        if not lines:
            raise InputRefused(
                f"The table mailbox_guard_anchors of {SETTING} holds no anchor.",
                hint="`serve` puts one there each minute.",
            )
        return [believed(line, f"Anchor {number}") for number, line in enumerate(lines, 1)]

    def close(self) -> None:
        """Let go of the connection."""
        if self._database is not None:
            with suppress(GuardError):
                self._database.close()
            self._database = None

    def _opened(self) -> Database:
        if self._database is None:
            database = Database(self._url.reveal())
            database.open()
            self._database = database
        return self._database


def _unavailable(what: str, error: Exception) -> Unavailable:
    # A driver's own text may repeat the URL, and with it a password.
    kind = type(getattr(error, "orig", None) or error.__cause__ or error).__name__
    return Unavailable(
        f"The database of {SETTING} can't {what} ({kind}).",
        hint="Check the URL, that the table mailbox_guard_anchors is there, and the right to "
        "INSERT (for `decisions verify`, to SELECT).",
    )
