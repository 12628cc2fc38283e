"""The description says of each route what it takes and gives; the answers are as it says."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import given, settings
from jsonschema import Draft202012Validator
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from console.api.surface import PREFIX, describing
from console.sign_in.form_proof import proof_for
from guard.ledger.stored import StoredLedger
from kernel.clock import FrozenClock
from kernel.database import Database
from tests.console.api.conftest import EVERYTHING, Bench, make_bench
from tests.console.recording import a_folder
from tests.guard.holds.asked import guarded

DESCRIPTION: dict[str, Any] = describing().openapi()
OPERATIONS = [
    (path, method, operation)
    for path, methods in DESCRIPTION["paths"].items()
    for method, operation in methods.items()
]


async def test_anybody_may_read_the_description(bench: Bench) -> None:
    answer = await bench.client.get(f"{PREFIX}/openapi.json")
    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")
    assert answer.json()["paths"] == DESCRIPTION["paths"]


@pytest.mark.parametrize(
    "operation", [one for *_, one in OPERATIONS], ids=[one["operationId"] for *_, one in OPERATIONS]
)
def test_every_route_says_what_it_is_for_with_an_example(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert "Role: " in operation["description"]
    told = operation["responses"]["200"]["content"]["application/json"]
    assert told["example"]
    assert told["schema"]
    if "requestBody" in operation:
        assert operation["requestBody"]["content"]["application/json"]["example"]
    for one in operation.get("parameters", ()):
        assert one.get("description"), one["name"]
    assert operation["security"]
    assert {"401", "403", "422"} <= set(operation["responses"])


def test_every_example_is_as_its_schema_says() -> None:
    for path, method, operation in OPERATIONS:
        told = operation["responses"]["200"]["content"]["application/json"]
        whole = {**told["schema"], "components": DESCRIPTION["components"]}
        found = [one.message for one in Draft202012Validator(whole).iter_errors(told["example"])]
        assert found == [], (method, path)


@pytest.mark.slow
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize(
    ("path", "method"), [(path, method) for path, method, _ in OPERATIONS], ids=lambda one: one
)
def test_a_foreign_judge_finds_no_answer_that_the_description_does_not_tell(
    guard_database: Database,
    clock: FrozenClock,
    tmp_path: Path,
    path: str,
    method: str,
    mode: GenerationMode,
) -> None:
    means = guarded(guard_database, clock).parts.means
    folder = a_folder(tmp_path / "policies")
    parts, surface = make_bench(guard_database, clock, folder, means=means)
    session_id = asyncio.run(_filled(parts, clock))
    heads = {"cookie": f"mailbox-guard={session_id}", "x-guard-proof": proof_for(session_id)}
    schema = schemathesis.openapi.from_asgi(f"{PREFIX}/openapi.json", surface)

    # The same cases each time: what fails here fails for everybody.
    @settings(max_examples=15, derandomize=True, database=None)
    @given(case=schema[path][method].as_strategy(generation_mode=mode))
    def judged(case: schemathesis.Case) -> None:
        # What fits may still name a table, a rule or a cursor that there is none of.
        case.call_and_validate(headers=heads, excluded_checks=[positive_data_acceptance])

    judged()


async def _filled(parts: Any, clock: FrozenClock) -> str:
    """Let there be a decision and a mailbox, and return a session that may do everything."""
    bench = Bench(parts, None, StoredLedger(parts.database, clock), clock, None)  # type: ignore[arg-type]
    await bench.record()
    await bench.approve()
    clock.advance(timedelta(seconds=1).total_seconds())
    return str(await parts.knows.begin(EVERYTHING))


def test_names_in_it_are_those_of_the_last_release() -> None:
    """Programs rely on them: one that goes, or that a request must give, breaks them."""
    assert sorted((method, path) for path, method, _ in OPERATIONS) == [
        ("get", "/brakes"),
        ("get", "/decisions"),
        ("get", "/decisions/{decision_id}"),
        ("get", "/decisions/{decision_id}/exceptions"),
        ("get", "/decisions/{decision_id}/explanation"),
        ("get", "/decisions/{decision_id}/replay"),
        ("get", "/decisions/{decision_id}/test"),
        ("get", "/exceptions"),
        ("get", "/holds"),
        ("get", "/holds/{hold_id}"),
        ("get", "/mailboxes"),
        ("get", "/mailboxes/{mailbox}"),
        ("get", "/mailboxes/{mailbox}/access"),
        ("get", "/policies"),
        ("get", "/system"),
        ("post", "/brakes/{brake}/release"),
        ("post", "/holds/{hold_id}/approve"),
        ("post", "/holds/{hold_id}/refuse"),
        ("post", "/mailboxes/{mailbox}/pause"),
        ("post", "/mailboxes/{mailbox}/resume"),
        ("post", "/mailboxes/{mailbox}/withdraw"),
        ("post", "/try"),
    ]
    required = {
        name: sorted(one.get("required", ()))
        for name, one in DESCRIPTION["components"]["schemas"].items()
        if name in ("Trial", "Told", "Problem")
    }
    assert required == {
        "Problem": ["detail", "status", "title", "type"],
        "Told": ["reason"],
        "Trial": ["entity", "operation"],
    }
