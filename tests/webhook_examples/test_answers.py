"""Every example is posted to the receiver, over twins of the tenant, and gets its answer.

One receiver takes them all in their order: an example must not depend on what others left behind,
other than those it names. The same over real sockets is shown where a real server runs.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from guard.active_policies import ActivePolicies
from guard.assembly import Sources, Values, assemble_receiver
from guard.columns.table import TABLES
from guard.identity import OwnIdentity
from guard.ledger import mirror
from guard.ledger.entry import MirrorRow
from guard.ledger.stored import StoredLedger
from guard.ledger.verify import verify
from guard.ports.metrics import CountingMetrics
from guard.ports.rows import MemoryRows
from guard.webhook import Webhook
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import failpoint
from rules.engine.policy_set import PolicySet
from rules.load.loader import load
from rules.syntax.shipped import shipped_folder
from tests.conftest import NOON
from tests.webhook_examples.examples import Example, all_examples, tenant
from tests.webhook_examples.world import GUARD_USER, a_directory, rows

EXAMPLES = all_examples()
BY_NAME = {example.name: example for example in EXAMPLES}
BEGUN = failpoint("tests.begun", "Rows of the examples were read once.")
SHOWN_AS_CONTRIBUTING = {"reject", "hold", "error"}


@pytest.fixture
def ledger_file(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'guard.db'}")
    database.open()
    database.create_tables()
    yield database
    database.close()


async def _have_begun(database: Database, dataverse: MemoryRows, clock: FrozenClock) -> None:
    """Let every row have been read and judged once, as a guard does when it begins."""
    for table in TABLES:
        async for page in dataverse.pages(table):
            for row in page:
                judged = dict.fromkeys(row.columns, False)
                copy = MirrorRow(table, row.record_id, row.columns, clock.now(), judged)
                await database.write(partial(mirror.keep, row=copy), failpoint=BEGUN)


@cache
def _shipped() -> PolicySet:
    return load(shipped_folder(), now=NOON)


def _receiver(database: Database, dataverse: MemoryRows, clock: FrozenClock) -> Webhook:
    directory, ledger = a_directory(), StoredLedger(database, clock)
    receiver = assemble_receiver(
        Sources(dataverse, directory),
        ledger,
        ActivePolicies(_shipped()),
        OwnIdentity(organization_id=tenant()["organization"]["id"], user_id=GUARD_USER),
        clock,
        CountingMetrics(),
        Values(
            webhook_keys=["another-key-that-is-valid-too", tenant()["webhook_key"]],
            delegated_role_id=tenant()["delegated_approver_role"],
        ),
    )
    return receiver.webhook


@pytest.fixture
async def client(ledger_file: Database, clock: FrozenClock) -> AsyncIterator[httpx.AsyncClient]:
    """A caller of a receiver that has begun and was sent nothing yet, as the page on them says."""
    dataverse = rows()
    await _have_begun(ledger_file, dataverse, clock)
    transport = httpx.ASGITransport(app=_receiver(ledger_file, dataverse, clock))
    async with httpx.AsyncClient(transport=transport, base_url="http://guard.test") as caller:
        yield caller


async def _post(client: httpx.AsyncClient, example: Example) -> httpx.Response:
    return await client.post(example.url, content=example.body, headers=example.headers)


def _differences(example: Example, answer: httpx.Response, ids: dict[str, str]) -> list[str]:
    """What of an answer isn't as the example says; keeps the decision id in `ids`."""
    expected, body = example.expected, _body_of(answer)
    found: dict[str, Any] = {"status": answer.status_code}
    wanted: dict[str, Any] = {"status": expected.status}
    if expected.decision is not None:
        found["decision"], wanted["decision"] = body.get("decision"), expected.decision
    if expected.cause is not None:
        found["cause"], wanted["cause"] = body.get("cause"), expected.cause
    if expected.rules is not None:
        shown = [f for f in body.get("findings", ()) if f["effect"] in SHOWN_AS_CONTRIBUTING]
        found["rules"] = {f"{f['policy']}/{f['rule']}" for f in shown}
        wanted["rules"] = set(expected.rules)
    if expected.same_decision_as is not None:
        found["id"], wanted["id"] = body.get("decision_id"), ids[expected.same_decision_as]
    ids[example.name] = body.get("decision_id", "")
    return [
        f"{key}: {found[key]} and not {wanted[key]}" for key in wanted if found[key] != wanted[key]
    ]


def _body_of(answer: httpx.Response) -> dict[str, Any]:
    value = answer.json()
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("example", EXAMPLES, ids=list(BY_NAME))
async def test_an_example_gets_its_answer(example: Example, client: httpx.AsyncClient) -> None:
    ids: dict[str, str] = {}
    for name in example.after:
        assert _differences(BY_NAME[name], await _post(client, BY_NAME[name]), ids) == []
    answer = await _post(client, example)
    assert _differences(example, answer, ids) == [], answer.text


async def test_all_examples_get_their_answers_from_one_receiver(
    client: httpx.AsyncClient, ledger_file: Database
) -> None:
    ids: dict[str, str] = {}
    wrong = {}
    for example in EXAMPLES:
        differences = _differences(example, await _post(client, example), ids)
        if differences:
            wrong[example.name] = differences
    assert wrong == {}
    assert ledger_file.read_now(verify).is_whole


@pytest.mark.parametrize(
    "example", [one for one in EXAMPLES if one.expected.status >= 400], ids=lambda one: one.name
)
async def test_a_refusal_is_a_problem_with_its_status(
    example: Example, client: httpx.AsyncClient
) -> None:
    answer = await _post(client, example)
    assert answer.headers["content-type"].startswith("application/problem+json")
    body = _body_of(answer)
    assert body["status"] == answer.status_code
    assert tenant()["webhook_key"] not in answer.text
