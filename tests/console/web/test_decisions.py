"""*Decisions*: edits are found again, and the page of one tells its whole story, escaped."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from guard.ledger.stored import StoredLedger, mask
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.engine.policy_set import PolicySet
from rules.load.loader import load
from rules.model.change import Change, Facts
from tests.console.conftest import TEST
from tests.console.recording import RULE, a_folder, an_entry

ROW = "b1000000-0000-4000-8000-000000000001"
USER = "a1000000-0000-4000-8000-000000000001"
ANNA = "anna@contoso.com"
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def policy_set(tmp_path: Path) -> PolicySet:
    return load(a_folder(tmp_path / "policies"))


@pytest.fixture
def record(guard_database: Database, clock: FrozenClock, policy_set: PolicySet) -> Any:
    ledger = StoredLedger(guard_database, clock)

    async def one(after: str = "ceo@contoso.com", **public: Any) -> str:
        change = Change(
            "mailbox", "update", ROW, {"emailaddress": ANNA}, {"emailaddress": after},
            frozenset({"emailaddress"}),
        )  # fmt: skip
        values = {
            "new.owner.upn": ANNA, "new.owner.type": "user", "new.owner.id": USER,
            "actor.upn": ANNA,
        }  # fmt: skip
        entry = an_entry(change, Facts(values, {}), policy_set, now=clock.now())
        entry.public.update({"initiating_user_id": USER, "enforcement": "enforce", **public})  # type: ignore[attr-defined]
        await ledger.record(entry, policy_set=policy_set)
        clock.advance(1)
        return entry.id

    return one


async def test_each_edit_is_one_line_and_older_ones_are_a_link_away(
    visitor: httpx.AsyncClient, record: Any
) -> None:
    assert "Nothing was decided yet." in (await visitor.get("/decisions")).text
    decided = await record(ANNA)
    await record(ANNA, confirms=decided)
    for _ in range(30):
        await record()
    page = (await visitor.get("/decisions")).text
    assert page.count("<tr>") - 1 == 30
    onward = re.search(r'href="(/decisions\?cursor=[^"]+)"', page)
    assert onward is not None
    older = (await visitor.get(onward[1])).text
    assert older.count("<tr>") - 1 == 1
    assert "before and after commit" in older
    assert 'rel="next"' not in older


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ({"actor": ANNA}, 2),
        ({"address": "CEO@contoso.com"}, 1),
        ({"record": ROW}, 2),
        ({"rule": RULE, "decision": "reject"}, 2),
        ({"since": "2026-11-23", "until": "2026-11-23"}, 2),
        ({"until": "2026-11-22"}, 0),
        ({"decision": "allow"}, 0),
    ],
)
async def test_a_search_finds_and_keeps_what_was_asked(
    visitor: httpx.AsyncClient, record: Any, search: dict[str, str], found: int
) -> None:
    await record()
    await record("other@contoso.com")
    page = (await visitor.get("/decisions", params=search)).text
    assert max(page.count("<tr>") - 1, 0) == found
    for name, value in search.items():
        assert f'name="{name}"' in page
        assert value in page


@pytest.mark.parametrize(
    "search",
    [{"address": "nobody"}, {"rule": "own-adress-only"}, {"since": "soon"}, {"decision": "maybe"},
     {"actor": SCRIPT}, {"cursor": "x"}],
)  # fmt: skip
async def test_what_nothing_can_fit_is_said_beside_the_form(
    visitor: httpx.AsyncClient, search: dict[str, str]
) -> None:
    answer = await visitor.get("/decisions", params=search)
    assert answer.status_code == 400
    assert 'role="alert"' in answer.text
    assert "<form" in answer.text
    assert SCRIPT not in answer.text


async def test_the_page_of_an_edit_tells_its_story(visitor: httpx.AsyncClient, record: Any) -> None:
    decision_id = await record()
    page = (await visitor.get(f"/decisions/{decision_id}")).text
    for told in (
        "anna@contoso.com → ceo@contoso.com",
        "by anna@contoso.com",
        "is not the address of the mailbox&#39;s owner",
        "new.emailaddress equals new.owner.upn",
        f"{RULE}: fails, so it says reject",
        "unknown source",
        f"anna@contoso.com ({USER})",
        f"/decisions/{decision_id}/again",
    ):
        assert told in page, told
    assert len(page) < 60_000


async def test_it_is_said_by_which_step_an_edit_was_seen_and_what_followed(
    visitor: httpx.AsyncClient, record: Any
) -> None:
    refused = await record(mode=0)
    page = (await visitor.get(f"/decisions/{refused}")).text
    assert "nothing had to be taken back" in page
    allowed = await record(ANNA, mode=0)
    assert "was not seen" in (await visitor.get(f"/decisions/{allowed}")).text
    confirmation = await record(ANNA, confirms=allowed)
    assert confirmation in (await visitor.get(f"/decisions/{allowed}")).text
    assert f"/decisions/{allowed}" in (await visitor.get(f"/decisions/{confirmation}")).text


async def test_names_with_script_in_them_do_nothing(
    visitor: httpx.AsyncClient, record: Any
) -> None:
    decision_id = await record(f"{SCRIPT}@contoso.com")
    for path in ("", "/test", "/exceptions", "/again"):
        page = (await visitor.get(f"/decisions/{decision_id}{path}")).text
        assert SCRIPT not in page, path
        assert "&lt;script&gt;" in page, path
    assert SCRIPT not in (await visitor.get("/decisions")).text


async def test_a_decision_is_replayed_and_drafted_from(
    visitor: httpx.AsyncClient, record: Any
) -> None:
    decision_id = await record()
    again = (await visitor.get(f"/decisions/{decision_id}/again")).text
    assert "Under the policies of today" in again
    assert "Recorded: reject" in again
    assert "kind: Test" in (await visitor.get(f"/decisions/{decision_id}/test")).text
    drafted = (await visitor.get(f"/decisions/{decision_id}/exceptions")).text
    assert "kind: Exception" in drafted
    assert f"{USER} # {ANNA}" in drafted


async def test_what_was_masked_is_told_as_gone(
    visitor: httpx.AsyncClient, record: Any, guard_database: Database, clock: FrozenClock
) -> None:
    decision_id = await record()
    await guard_database.write(lambda c: mask(c, decision_id, now=clock.now()), failpoint=TEST)
    page = (await visitor.get(f"/decisions/{decision_id}")).text
    assert "was masked" in page
    assert "ceo@contoso.com" not in page
    assert (await visitor.get(f"/decisions/{decision_id}/test")).status_code == 400
    assert (await visitor.get("/decisions/ffffffff")).status_code == 404
