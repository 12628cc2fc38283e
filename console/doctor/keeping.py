"""What the guard keeps: database and schema, ledger, anchors, disk, and the loaded policies."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from console import schema
from console.doctor.diagnosis import Diagnosis, Severity
from console.doctor.installation import Installation, Prerequisite
from console.doctor.probe import Probe
from guard.ledger.anchor import difference, newest_anchor
from guard.ledger.newest import NEWEST, altered_among_newest
from kernel.errors import GuardError, InputRefused
from kernel.tables import added_code

ANCHOR_AGE = timedelta(minutes=10)
_GIBIBYTE = 1 << 30
DISK_SHORT = 5 * _GIBIBYTE
DISK_FULL = _GIBIBYTE // 2


class DatabaseReady(Probe):
    """The database can be read and has the schema of this version."""

    code = "database-ready"
    looks_at = "The database, its schema, and whether it does anything by itself at our tables."
    worst = Severity.ERROR
    means = "A guard that cannot write down what it decides answers 503, and edits fail."
    mend = "Check MAILBOX_GUARD_DATABASE_URL and _DATA_DIR; run `mailbox-guard db check`."

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Read the schema number, without upgrading it."""
        if house.database is None and house.database_problem is None:
            house.lacking[Prerequisite.DATABASE] = "there is no database yet"
            return [self.note("There is no database yet; `serve` makes it.")]
        try:
            database = house.opened()
            number = await asyncio.to_thread(schema.number_of, database)
            schema.require_ours(number)
            schema.require_passive(await database.read(added_code))
        except GuardError as error:
            house.lacking[Prerequisite.DATABASE] = "the database cannot be read"
            return [self.found(Severity.ERROR, error.message, mend=error.hint)]
        return [self.well(f"The database is open and has schema {number}.")]


class LedgerWhole(Probe):
    """The newest part of the ledger is as it was written."""

    code = "ledger-whole"
    looks_at = (
        f"The newest {NEWEST} decisions of every chain: digests, links and heads. "
        "`decisions verify` walks all of it."
    )
    worst = Severity.ERROR
    means = "Somebody who may write to the database altered the record, or part of it is lost."
    mend = "Run `mailbox-guard decisions verify --against FILE`, and find out who may write there."
    needs = frozenset({Prerequisite.DATABASE})

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Recompute what is newest."""
        checked, altered = await house.opened().read(altered_among_newest)
        if altered is not None:
            return [self.found(Severity.ERROR, f"The ledger is not whole: {altered}.")]
        return [self.well(f"The newest {checked} decisions are as they were written.")]


class AnchorsFollow(Probe):
    """Anchors are written, and the database still holds what the newest one states."""

    code = "anchors-follow"
    looks_at = "The newest anchor: its age, its signature, and whether the database agrees with it."
    worst = Severity.ERROR
    means = (
        "Without an anchor elsewhere nobody can prove that the record was not rewritten, and a "
        "restored database is noticed late."
    )
    mend = "Let `serve` run, and put MAILBOX_GUARD_ANCHOR_FILE on another machine's disk."
    needs = frozenset({Prerequisite.DATABASE})

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Hold the newest anchor against the database."""
        settings, file = house.settings, house.settings.anchor_file
        try:
            newest = newest_anchor(file)
        except InputRefused as error:
            return [self.found(Severity.ERROR, error.message, mend=error.hint)]
        if newest is None:
            return [self.found(Severity.WARN, f"{file} holds no anchor.")]
        reason = await house.opened().read(lambda c: difference(c, newest))
        if reason is not None:
            return [self.found(Severity.ERROR, f"The database differs: {reason}.")]
        found = []
        age = house.clock.now() - newest.made_at
        if age > ANCHOR_AGE:
            minutes = age // timedelta(minutes=1)
            told = f"The newest anchor is {minutes} minutes old."
            found.append(self.found(Severity.WARN, told))
        if newest.key is None:
            found.append(
                self.found(
                    Severity.WARN,
                    "The anchors are unsigned.",
                    mend="Make a key and set MAILBOX_GUARD_ANCHOR_KEY_FILE: docs/operations.md.",
                )
            )
        if file.parent == settings.data_dir:
            found.append(self.note("The anchors lie beside the database."))
        return found or [self.well("The newest anchor is signed, young, and agrees.")]


class DiskRoom(Probe):
    """There is room for what the guard writes."""

    code = "disk-room"
    looks_at = "The free space where the data directory is."
    worst = Severity.ERROR
    means = "On a full disk no decision can be written down: the guard answers 503 and edits fail."
    mend = "Free some space, or move MAILBOX_GUARD_DATA_DIR."

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Ask the file system."""
        folder = _existing(house.settings.data_dir)
        try:
            free = shutil.disk_usage(folder).free
        except OSError as error:
            return [self.not_known(f"{folder} does not tell its free space: {error.strerror}.")]
        told = f"{free / _GIBIBYTE:.1f} GiB are free at {folder}."
        if free < DISK_FULL:
            return [self.found(Severity.ERROR, told)]
        if free < DISK_SHORT:
            return [self.found(Severity.WARN, told)]
        return [self.well(told)]


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


class PoliciesLoaded(Probe):
    """The policies load, and some of them are enforced."""

    code = "policies-loaded"
    looks_at = "The policy folder as `serve` would load it, the mode of the guard, and a pin."
    worst = Severity.ERROR
    means = "Without an enforced policy the guard refuses to start: it would be an open door."
    mend = "Run `mailbox-guard policy validate` on the folder."

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Tell what is loaded."""
        if house.policies is None:
            house.lacking[Prerequisite.POLICIES] = "the policies do not load"
            problem = house.policies_problem
            told = "The policies do not load." if problem is None else problem.message
            return [self.found(Severity.ERROR, told, mend=problem.hint if problem else None)]
        policies, settings = house.policies, house.settings
        told = f"{len(policies.policies)} policies load, {policies.enforced} are enforced"
        found = [self.well(f"{told}; digest {policies.digest[:12]}.")]
        if settings.enforcement == "observe":
            found.append(
                self.found(
                    Severity.WARN,
                    "The guard only observes: it lets everything through.",
                    means="What it would reject is recorded, and happens all the same.",
                    mend="Once the list of would-be rejections is as you want it, set "
                    "MAILBOX_GUARD_ENFORCEMENT=enforce.",
                )
            )
        if settings.unsafe_without_store:
            found.append(
                self.found(
                    Severity.ERROR,
                    "Nothing is recorded: MAILBOX_GUARD_UNSAFE_WITHOUT_STORE is on.",
                    means="Decisions leave no trace, and nothing is reverted or granted.",
                    mend="Remove the setting.",
                )
            )
        if not settings.policies_digest:
            found.append(
                self.note(
                    "The policy set is not pinned: whoever may write the folder changes the rules.",
                    mend="Set MAILBOX_GUARD_POLICIES_DIGEST to the digest that was reviewed.",
                )
            )
        return found
