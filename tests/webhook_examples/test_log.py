"""Whatever of the examples is refused stands in the log, in one line, with ids and no person."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog

from kernel.log import configure
from tests.webhook_examples.examples import all_examples, tenant
from tests.webhook_examples.test_answers import _post, client, ledger_file

__all__ = ["client", "ledger_file"]
IDS = {"decision_id", "organization_id", "record_id", "initiating_user_id"}


@pytest.fixture(autouse=True)
def log_as_of_a_process() -> Iterator[None]:
    """The log that a process writes, for this test alone."""
    before = structlog.get_config()
    configure(level="info")
    yield
    structlog.configure(**before)


def people() -> set[str]:
    """Every name and address by which the tenant knows a person, a queue or a mailbox."""
    data, found = tenant(), set()
    for user in data["entra"]["users"]:
        proxies = [text.partition(":")[2] for text in user["proxyAddresses"]]
        found |= {user["userPrincipalName"], user["mail"], user.get("displayName"), *proxies}
    for rows in data["dataverse"].values():
        for row in rows if isinstance(rows, list) else ():
            found |= {row.get(name) for name in ("fullname", "domainname", "emailaddress", "name")}
    # The platform's own user is no person, and tables are named after it.
    return {text.lower() for text in found if text} - {"system"}


async def _told(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> list[tuple[str, int, list[dict[str, Any]]]]:
    """Each example by its name, the status of its answer, and the lines that it left in the log."""
    told = []
    for example in all_examples():
        answer = await _post(client, example)
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        told.append((example.name, answer.status_code, lines))
    return told


@pytest.mark.slow
async def test_each_refusal_is_one_line_with_ids_and_without_a_person(
    client: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    told = await _told(client, capsys)
    names = people()
    assert len(names) > 20
    refused = 0
    for name, status, lines in told:
        assert len(lines) <= 1, name
        shown = json.dumps(lines).lower()
        assert "@" not in shown, name
        assert not [one for one in names if one in shown], name
        if status >= 400:
            (line,) = lines
            refused += 1
            event = "change_refused" if status == 403 else "delivery_refused"
            assert line["event"] == event, name
            if status == 403:
                assert line.keys() >= IDS, name
            else:
                assert (line["status"], line["because"][-1]) == (status, "."), name
    assert refused > 20
