"""Real processes killed with SIGKILL: nothing answered is lost, and nothing is done twice."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from guard.ledger.stored import MASK, mask
from kernel.clock import SystemClock
from kernel.database import Database
from sandbox import people
from sandbox.server import Sandbox
from tests.end_to_end.processes import Processes, processes
from tests.end_to_end.test_killed import answered_until
from tests.webhook_examples.examples import tenant

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
LIVES = 3
DATABASE = Path("data") / "mailbox-guard.db"


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Processes]:
    with processes(tmp_path / "processes", webhook_keys=tenant()["webhook_key"]) as started:
        yield started


@contextmanager
def opened(group: Processes) -> Iterator[sqlite3.Connection]:
    """Open the ledger as somebody with the file in their hands does."""
    with closing(sqlite3.connect(group.folder / DATABASE)) as database, database:
        yield database


def verified(group: Processes) -> tuple[int, dict[str, Any]]:
    done = group.run("decisions", "verify", "--output", "json")
    return done.returncode, json.loads(done.stdout)


def test_the_ledger_of_a_server_that_is_killed_again_and_again(group: Processes) -> None:
    answered: list[str] = []
    for _ in range(LIVES):
        server = group.serve("--no-sync")
        answered += answered_until(server.kill, server)
    done = group.run("decisions", "list", "--limit", "1000000", "--output", "json")
    listed = [one["id"] for one in json.loads(done.stdout)]
    assert set(answered) <= set(listed)
    code, verdict = verified(group)
    assert (code, verdict["chains"], verdict["checked"]) == (0, LIVES, len(listed))

    in_the_middle = answered[len(answered) // 2]
    for column, text in {
        "decision": "'allow'",
        "record_id": "'ffffffff-0000-4000-8000-000000000000'",
        "decided_at": "decided_at + 1",
        "status": "500",
        "public": "replace(public, 'update', 'create')",
        "commitment": "'x' || commitment",
        "private": "replace(private, 'contoso', 'fabrikam')",
    }.items():
        assert altering(group, column, text, in_the_middle) == (1, in_the_middle), column
    assert verified(group)[0] == 0

    # A private part that is merely emptied is missing; one that was masked is told of by an act.
    assert altering(group, "private", "NULL", in_the_middle) == (1, in_the_middle)
    database = Database(f"sqlite:///{group.folder / DATABASE}")
    database.open()
    now = SystemClock().now()
    assert database.write_now(lambda c: mask(c, in_the_middle, now=now), failpoint=MASK)
    database.close()
    code, verdict = verified(group)
    assert (code, verdict["masked"]) == (0, 1)

    # A server that ends in peace leaves a checkpoint. From then on not even somebody who cuts the
    # newest decisions off and sets the chain's own row back goes unnoticed.
    assert group.serve("--no-sync").terminate() == 0
    assert verified(group)[0] == 0
    newest = cut_the_tail(group, count=5)
    code, verdict = verified(group)
    assert (code, verdict["first_bad_id"]) == (1, newest)
    assert "missing" in verdict["reason"]


def altering(group: Processes, column: str, text: str, decision_id: str) -> tuple[int, str | None]:
    """Alter a column of a decision, return what `verify` says of it, and put it back."""
    where = "WHERE id = ?"
    with opened(group) as database:
        (before,) = database.execute(
            f"SELECT {column} FROM guard_decisions {where}", [decision_id]
        ).fetchone()
        database.execute(f"UPDATE guard_decisions SET {column} = {text} {where}", [decision_id])
        (after,) = database.execute(
            f"SELECT {column} FROM guard_decisions {where}", [decision_id]
        ).fetchone()
        assert after != before, column
    code, verdict = verified(group)
    with opened(group) as database:
        database.execute(f"UPDATE guard_decisions SET {column} = ? {where}", [before, decision_id])
    return code, verdict["first_bad_id"]


def cut_the_tail(group: Processes, *, count: int) -> str:
    """Remove the newest decisions of a chain without a trace; return the id of the newest."""
    with opened(group) as database:
        chain, newest = database.execute(
            "SELECT chain, id FROM guard_decisions ORDER BY id DESC LIMIT 1"
        ).fetchone()
        database.execute(
            "DELETE FROM guard_decisions WHERE chain = ? AND seq > "
            "(SELECT max(seq) FROM guard_decisions WHERE chain = ?) - ?",
            [chain, chain, count],
        )
        database.execute(
            "UPDATE guard_chains SET (count, head, last_id) = (SELECT seq + 1, digest, id "
            "FROM guard_decisions WHERE chain = ? ORDER BY seq DESC LIMIT 1) WHERE id = ?",
            [chain, chain],
        )
    assert isinstance(newest, str)
    return newest


async def test_a_sync_that_is_killed_again_and_again_brings_every_mail_once(
    group: Processes,
) -> None:
    chance = Random(7)  # noqa: S311 - no secret hangs on it.
    async with Sandbox() as sandbox:
        group.settings |= {
            name.removeprefix("MAILBOX_GUARD_").lower(): text
            for name, text in sandbox.settings().items()
        }
        approve_in_dataverse(sandbox, people.BOB)
        # The scan grants what Dataverse holds approved: of those who have mail, Bob and Anna.
        await asyncio.to_thread(group.run, "scan", "--apply")
        for wanted in sorted(chance.sample(range(1, 28), LIVES)):
            loop = group.start("sync", "run")
            async with asyncio.timeout(60):
                while len(sandbox.rows("email")) < wanted:
                    assert loop.popen.poll() is None, loop.shown()
                    await asyncio.sleep(0.005)
            await asyncio.sleep(chance.uniform(0, 0.03))
            loop.kill()
        done = await asyncio.to_thread(group.run, "sync", "run", "--once", "--output", "json")
        assert done.returncode == 0, done.stdout + done.stderr
        check_every_mail_is_there_once(sandbox, (people.BOB, people.ANNA))
        again = await asyncio.to_thread(group.run, "sync", "run", "--once", "--output", "json")
        assert json.loads(again.stdout)["created"] == 0
        check_every_mail_is_there_once(sandbox, (people.BOB, people.ANNA))


def approve_in_dataverse(sandbox: Sandbox, person: people.Sample) -> None:
    for table, record_id in (("mailbox", person.mailbox_id), ("systemuser", person.user_id)):
        row = sandbox.row(table, record_id)
        assert row is not None
        sandbox.dataverse.insert(table, {**row, "emailrouteraccessapproval": 1})


def check_every_mail_is_there_once(sandbox: Sandbox, persons: tuple[people.Sample, ...]) -> None:
    lying, files = [], []
    for person in persons:
        mailbox = sandbox.mailbox(person.alias)
        inbox = mailbox.folder("inbox")
        assert inbox is not None
        for item in mailbox.items.values():
            if item.folder_id == inbox.id:
                lying.append(item.properties["internetMessageId"])
                files += [one.name for one in item.attachments]
    emails = sandbox.rows("email")
    assert sorted(str(row["messageid"]) for row in emails) == sorted(lying)
    assert {row["statuscode"] for row in emails} == {4}
    attached = [str(row["filename"]) for row in sandbox.rows("activitymimeattachment")]
    assert sorted(attached) == sorted(files)
