"""The anchors of this installation: written each minute, and held against the database first.

A database that no longer holds what the newest anchor states was restored from an older copy, or
rewritten. Then nobody knows what was withdrawn since: all approvals rest until each was looked up
again, and what the anchor says persons had withdrawn stands again (law 17).
"""

from __future__ import annotations

from console.anchor_notes import AnchorNotes
from console.locks import make_directory
from console.second_database import SecondDatabase
from guard.ledger.anchor import (
    Anchor,
    SigningKey,
    append_line,
    difference,
    line_of,
    newest_anchor,
    statement_of,
    untrusted,
)
from kernel import recall
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import GuardError, InputRefused
from kernel.log import get_logger
from kernel.settings import Settings

ANCHOR_SECONDS = 60.0
RECALLER = "a person, as an anchor says"

log = get_logger("anchor")


class Anchoring:
    """Writes anchors, and notices a database that is older than the newest of them."""

    def __init__(self, settings: Settings, database: Database, clock: Clock) -> None:
        self._file = settings.anchor_file
        self._key = signing_key(settings)
        self._database = database
        self._clock = clock
        url = settings.anchor_database_url
        self._second = SecondDatabase(url) if url else None
        # Where Dataverse is reached and asked to keep anchors, too.
        self.notes: AnchorNotes | None = None
        # Why the newest anchor is missing somewhere; the guard decides all the same.
        self.lacking: tuple[str, ...] = ()

    async def look_and_append(self) -> None:
        """Hold the newest anchor against the database, then append the next one.

        What the newest one states must never be forgotten because nobody looked.
        Raises Unavailable when it can't be written somewhere; then it is everywhere else, and
        `lacking` says where it is not.
        """
        await self.look()
        now = self._clock.now()
        try:
            previous = self._newest()
        except InputRefused:
            previous = None
        statement = await self._database.read(lambda c: statement_of(c, now=now, previous=previous))
        line = line_of(statement, self._key)
        failures: list[GuardError] = []
        try:
            make_directory(self._file)
            append_line(self._file, line)
        except GuardError as error:
            failures.append(error)
        if self._second is not None:
            try:
                await self._second.append(line, made_at=statement["made_at"])
            except GuardError as error:
                failures.append(error)
        if self.notes is not None:
            try:
                await self.notes.append(line)
            except GuardError as error:
                failures.append(error)
        self.lacking = tuple(error.message for error in failures)
        if failures:
            raise failures[0]

    def close(self) -> None:
        """Let go of what anchors are put into."""
        if self._second is not None:
            self._second.close()

    async def look(self) -> str | None:
        """Return what the database no longer holds, if anything; all approvals rest from then on.

        A newest anchor that can't be believed counts as one that states something else.
        """
        try:
            newest = self._newest()
        except InputRefused as error:
            return await self._recall(error.message, ())
        if newest is None:
            return None
        reason = await self._database.read(lambda c: difference(c, newest))
        return None if reason is None else await self._recall(reason, newest.withdrawn)

    def _newest(self) -> Anchor | None:
        """Return the newest anchor, if any. Raises InputRefused when it can't be believed."""
        newest = newest_anchor(self._file)
        if newest is not None:
            reason = untrusted([newest], [self._key.public] if self._key is not None else [])
            if reason is not None:
                raise InputRefused(reason)
        return newest

    async def _recall(self, reason: str, withdrawn: tuple[str, ...]) -> str:
        now = self._clock.now()
        why = f"Withdrawn before the database was restored: {reason}."
        count = await self._database.write(
            lambda c: recall.recall(c, withdrawn=withdrawn, by=RECALLER, reason=why, now=now),
            failpoint=recall.RECALLED,
        )
        log.error("database_differs_from_anchor", reason=reason, resting=count)
        return reason


def signing_key(settings: Settings) -> SigningKey | None:
    """Return the key of the settings. Raises SettingInvalid for one that can't be used."""
    file = settings.anchor_key_file
    return None if file is None else SigningKey.read(file)
