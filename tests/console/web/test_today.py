"""*Today* says in one look whether everything is well, and what is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx

from console.gauges import Gauges
from console.web.today import matters
from kernel.clock import FrozenClock
from kernel.tasks import TaskCounts, TaskState
from rules.load.loader import load
from sync.operate.counts import MailboxCounts
from sync.store.tables import SyncState
from tests.console.recording import a_folder, recorded
from tests.console.test_replay import FACTS, TO_BOB
from tests.console.web.conftest import Console

NOTHING = Gauges(
    TaskCounts({}, {}), MailboxCounts(dict.fromkeys(SyncState, 0), None, 0), {}, refused=0
)


async def test_all_well_is_said_first(visitor: httpx.AsyncClient) -> None:
    page = (await visitor.get("/")).text
    assert "Everything works" in page
    assert "Nothing was rejected lately." in page


async def test_what_is_missing_is_said_in_its_own_words(
    console: Console, visitor: httpx.AsyncClient, standing: dict[str, Any]
) -> None:
    standing |= {"status": "degraded", "degraded": ["Dataverse does <not> answer."]}
    assert "Dataverse does &lt;not&gt; answer." in (await visitor.get("/")).text
    standing |= {"status": "unready", "problem": "The schema is another."}
    page = (await visitor.get("/")).text
    assert "verdict bad" in page
    assert "The schema is another." in page


async def test_what_was_rejected_lately_stands_there(
    console: Console, visitor: httpx.AsyncClient, clock: FrozenClock, tmp_path: Path
) -> None:
    policy_set = load(a_folder(tmp_path / "policies"))
    await recorded(console.parts.database, clock, policy_set, [(TO_BOB, FACTS)] * 2)
    page = (await visitor.get("/")).text
    assert "bob@contoso.com" in page
    assert "own-address-only/same-as-owner" in page
    assert page.count("2 rejected") == 1


def test_what_needs_a_person_is_listed_with_the_most_urgent_first() -> None:
    gauges = Gauges(
        TaskCounts({("revert", TaskState.NEEDS_PERSON): 2, ("grant", TaskState.DONE): 9}, {}),
        MailboxCounts(dict.fromkeys(SyncState, 0), None, 3),
        {},
        refused=0,
    )
    exception = {
        "name": "desk",
        "expires": "2026-12-01",
        "rules": ["domain"],
        "policy": "own-domain",
        "reason": "A merger.",
    }
    state = {"brakes": [{"brake": "reverts", "stopped": 21, "scope": "", "release": ""}]}
    titles = [one.title for one in matters(state, gauges, [exception])]
    assert titles == [
        "The brake reverts has stopped 21",
        "2 tasks wait for a person",
        "3 items are set aside",
        "The exception desk ends on 2026-12-01",
    ]
    assert matters({"brakes": []}, NOTHING, []) == []


def test_what_is_held_comes_first_and_not_all_of_it_by_name() -> None:
    hold = {
        "id": "h",
        "record_id": "r",
        "rules": ["vip/address"],
        "address": {"before": None, "after": "vip@contoso.com"},
        "requester": {"name": None, "upn": "anna@contoso.com", "id": "1"},
    }
    found = matters({"brakes": []}, NOTHING, [], [hold] * 7)
    assert found[0].title == "anna@contoso.com asks for vip@contoso.com"
    assert found[0].path == "/holds/h"
    assert [one.title for one in found[5:]] == ["2 more changes are held"]


async def test_a_page_is_small(visitor: httpx.AsyncClient) -> None:
    page = await visitor.get("/")
    style = await visitor.get("/static/console.css")
    script = await visitor.get("/static/console.js")
    assert sum(len(one.content) for one in (page, style, script)) < 60_000
