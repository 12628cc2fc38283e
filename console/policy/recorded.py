"""Where recorded decisions come from: the ledger of the settings, or files of exported ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import click

from kernel.errors import InputRefused

if TYPE_CHECKING:
    from rules.engine.policy_set import PolicySet
    from rules.replay.recorded import PastDecision
    from rules.replay.simulate import FindSet, Simulation

LEDGER: Final = "ledger"
_ID: Final = re.compile(
    r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
)
_EXPORTED: Final = re.compile(r'^\s*\{(?s:.*)"decided_at"')
_HEAD: Final = 1_000
_LINES_AT_ONCE: Final = 500
_MOST_DOCUMENT_BYTES: Final = 256 * 1024 * 1024

Moved = Callable[[str, int, int], None]
"""Told the place that was reached, how many are done and how many there are."""


def looks_like_id(text: str) -> bool:
    """Tell whether a text can be the id of a decision."""
    return _ID.fullmatch(text) is not None


def find_recorded(ctx: click.Context, decision_id: str) -> tuple[PastDecision, PolicySet | None]:
    """Return one decision of the ledger, with the policy set that was stored with it."""
    from console.context import open_prepared, settings_of
    from guard.ledger.replay import find_past, find_set

    with open_prepared(settings_of(ctx)) as database:
        past = database.read_now(lambda c: find_past(c, decision_id))
        return past, database.read_now(lambda c: find_set(c, past.policy_set))


def read_exported(text: str, *, where: str) -> PastDecision | None:
    """Return the decision that a file holds; None for a file that is something else.

    Raises InputRefused for a decision that can't be decided again.
    """
    from rules.replay.recorded import read_line

    if not _EXPORTED.search(text[:_HEAD]):
        return None
    decision_id, past = read_line(text, where=where)
    if isinstance(past, str):
        raise InputRefused(f"The decision {decision_id} can't be decided again: {past}.")
    return past


class Source(Protocol):
    """Recorded decisions, fed to a simulation from a place on."""

    def feed(
        self, make: Callable[[FindSet | None], Simulation], *, after: str, moved: Moved
    ) -> Simulation:
        """Make the simulation and feed it everything behind a place."""
        ...


@dataclass(frozen=True, slots=True)
class LedgerSource:
    """The decisions of the ledger since then, with the policy sets stored beside them."""

    ctx: click.Context
    since: datetime | None

    def feed(
        self, make: Callable[[FindSet | None], Simulation], *, after: str, moved: Moved
    ) -> Simulation:
        """Feed batch by batch, as fast as the database gives."""
        from console.context import open_prepared, settings_of
        from guard.ledger.replay import batches, count_decisions, find_set

        def run(connection: Any) -> Simulation:
            simulation = make(lambda digest: find_set(connection, digest))
            total, done = count_decisions(connection, since=self.since), 0
            for batch in batches(connection, since=self.since, after=after):
                simulation.take_rows(batch.rows)
                done += len(batch.rows)
                moved(batch.place, done, max(total, done))
            return simulation

        with open_prepared(settings_of(self.ctx)) as database:
            return database.read_now(run)


@dataclass(frozen=True, slots=True)
class FileSource:
    """Exported decisions in files: a line each, an array, or one alone."""

    files: Sequence[Path]
    since: datetime | None

    def feed(
        self, make: Callable[[FindSet | None], Simulation], *, after: str, moved: Moved
    ) -> Simulation:
        """Feed line by line; the place is how many were read."""
        from rules.replay.recorded import read_line

        simulation = make(None)
        skipped = int(after or 0)
        done = 0
        for where, text in self._texts():
            done += 1
            if done <= skipped:
                continue
            decision_id, past = read_line(text, where=where)
            if isinstance(past, str):
                simulation.set_apart(decision_id, past)
            elif self.since is None or past.now >= self.since:
                simulation.take(past)
            if done % _LINES_AT_ONCE == 0:
                moved(str(done), done, done)
        moved(str(done), done, done)
        return simulation

    def _texts(self) -> Iterator[tuple[str, bytes]]:
        for file in self.files:
            try:
                yield from _texts_of(file)
            except OSError as error:
                raise InputRefused(f"{file} can't be read: {error.strerror}.") from error


def _texts_of(path: Path) -> Iterator[tuple[str, bytes]]:
    with path.open("rb") as file:
        first = file.readline().strip()
        file.seek(0)
        if first.startswith(b"[") or first == b"{":
            yield from _documents(path, file.read(_MOST_DOCUMENT_BYTES))
            return
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{path}:{number}", line


def _documents(path: Path, text: bytes) -> Iterator[tuple[str, bytes]]:
    import msgspec

    try:
        if text.lstrip().startswith(b"["):
            found = msgspec.json.decode(text, type=list[msgspec.Raw])
        else:
            found = [msgspec.json.decode(text, type=msgspec.Raw)]
    except msgspec.MsgspecError as error:
        raise InputRefused(f"{path} is not JSON: {error}.") from error
    for number, one in enumerate(found, 1):
        yield f"{path}, entry {number}", bytes(one)


def sources(ctx: click.Context, named: Sequence[str], since: datetime | None) -> Source:
    """Return what `--from` names: files, or the ledger when it names none."""
    if not named or list(named) == [LEDGER]:
        return LedgerSource(ctx, since)
    if LEDGER in named:
        raise InputRefused("--from takes `ledger` or files, not both.")
    files = [Path(one) for one in named]
    for file in files:
        if not file.is_file():
            raise InputRefused(
                f"{file} is not a file.", hint="Name files of exported decisions, or `ledger`."
            )
    return FileSource(files, since)
