"""A recorded decision becomes a test and a draft of an exception; both do what they say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from guard.answers import recorded_finding
from guard.ledger.codec import storable
from guard.ledger.entry import Entry
from guard.ledger.stored import StoredLedger, mask
from kernel.clock import FrozenClock, SystemClock
from kernel.database import Database
from kernel.ids import new_id
from rules.engine.decide import decide
from rules.load.loader import load, load_documents
from rules.model.change import Change, Facts
from rules.syntax.shipped import shipped_folder
from tests.conftest import NOON
from tests.console.conftest import TEST, Run

NOW = datetime(2026, 8, 21, 10, tzinfo=UTC)
ROW, OTHER_ROW = (f"b1000000-0000-4000-8000-00000000000{number}" for number in (1, 2))
USER, OTHER_USER = (f"a1000000-0000-4000-8000-00000000000{number}" for number in (1, 2))
BEFORE = {
    "emailaddress": "anna@contoso.com", "emailrouteraccessapproval": 1, "name": "0x1F",
    "processemailreceivedafter": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
}  # fmt: skip
AFTER = {**BEFORE, "emailaddress": "ceo@contoso.com", "emailrouteraccessapproval": 2}
FACTS = Facts(
    {
        "new.owner.type": "user", "new.owner.upn": "anna@contoso.com", "new.owner.entraUpn": None,
        "new.owner.id": USER, "new.owner.objectId": "o1", "actor.kind": "user",
        "actor.roleTemplates": ("t1", "1e3"), "new.addressOwner.names": ("ceo@contoso.com",),
        "actor.onBehalfBy": None,
    },
    {"new.addressOwner.objectId": "Entra did not answer"},
)  # fmt: skip


async def _recorded(database: Database, findings: Any = None, **private: Any) -> str:
    change = Change("mailbox", "update", ROW, BEFORE, AFTER, frozenset({"emailaddress"}))
    decision = decide(change, load(shipped_folder()), FACTS, now=NOW)
    found = decision.findings if findings is None else findings
    entry = Entry(
        id=new_id(NOW), decided_at=NOW, decision=decision.outcome.value, cause=decision.cause,
        table="mailbox", record_id=ROW, status=403, key=None,
        public={
            "operation": "update", "mode": 0, "stage": 20, "rules": [f.id for f in found],
            "correlation_id": "c1", "initiating_user_id": USER, "policy_set": "abc",
        },
        private={
            "findings": [recorded_finding(one) for one in found],
            "evaluated": list(decision.evaluated), "before": storable(BEFORE),
            "altered": storable(AFTER), "sent": ["emailaddress"], "request": {},
            "facts": storable(FACTS.values), "missing": FACTS.missing, **private,
        },
    )  # fmt: skip
    await StoredLedger(database, FrozenClock(NOW)).record(entry)
    return entry.id


@pytest.fixture
async def decision_id(guard_database: Database) -> str:
    return await _recorded(guard_database)


def test_a_decision_becomes_a_test_that_passes_on_the_same_policies(
    run: Run, decision_id: str, tmp_path: Path
) -> None:
    drafted = run("decisions", "to-test", decision_id)
    assert drafted.code == 0
    folder = tmp_path / "policies"
    for path in shipped_folder().rglob("*.yaml"):
        if ".test." not in path.name:
            copy = folder / path.relative_to(shipped_folder())
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(path.read_bytes())
    (folder / "tests").mkdir()
    (folder / "tests" / "recorded.test.yaml").write_text(drafted.out)
    done = run("policy", "test", folder)
    assert (done.code, done.err) == (0, ""), done.out
    assert "1 of 1 cases passed." in done.out
    assert run("policy", "validate", folder, "--schema").code == 0
    # It is exact: with the policy away, it fails.
    (folder / "own-address-only.yaml").unlink()
    assert run("policy", "test", folder).code == 1


def test_a_draft_does_not_load_until_a_person_has_filled_it_in(run: Run, decision_id: str) -> None:
    done = run("exceptions", "draft", decision_id)
    assert done.code == 0
    assert done.out.count("kind: Exception") == done.out.count("reason: # fill in") >= 1
    assert "equals: ceo@contoso.com" in done.out


def test_a_filled_draft_lets_the_change_pass(run: Run, decision_id: str) -> None:
    done = run("exceptions", "draft", decision_id, "--reason", "Agreed: see mail", "--ticket",
               "CHG-1", "--approved-by", "ciso@contoso.com")  # fmt: skip
    files = done.out.split("# exceptions/")[1:]
    documents = dict(load(shipped_folder()).documents)
    for file in files:
        path, _, text = file.partition("\n")
        documents[f"exceptions/{path}"] = text
    policy_set = load_documents(documents)
    change = Change("mailbox", "update", ROW, BEFORE, AFTER, frozenset({"emailaddress"}))
    now = datetime.now(UTC)  # noqa: TID251 - the draft's end was set by the real clock.
    decision = decide(change, policy_set, FACTS, now=now)
    refusing = [one.id for one in decision.findings if one.result == "fail"]
    assert refusing == []
    assert any(one.result == "excepted" for one in decision.findings)


@pytest.mark.parametrize(
    ("record_id", "columns", "facts"),
    [
        (OTHER_ROW, {}, {}),
        (ROW, {"ownerid.id": OTHER_USER}, {"new.owner.id": OTHER_USER}),
        (ROW, {"emailaddress": "cfo@contoso.com"}, {}),
    ],
    ids=["another row", "another owner", "another address"],
)
def test_a_filled_draft_is_for_that_row_its_owner_and_its_address(
    run: Run, decision_id: str, record_id: str, columns: dict[str, Any], facts: dict[str, Any]
) -> None:
    done = run("exceptions", "draft", decision_id, "--reason", "Agreed", "--ticket", "CHG-1",
               "--approved-by", "ciso@contoso.com")  # fmt: skip
    documents = dict(load(shipped_folder()).documents)
    for file in done.out.split("# exceptions/")[1:]:
        path, _, text = file.partition("\n")
        documents[f"exceptions/{path}"] = text
    after = {**AFTER, **columns}
    change = Change("mailbox", "update", record_id, BEFORE, after, frozenset({"emailaddress"}))
    known = Facts({**FACTS.values, **facts}, FACTS.missing)
    now = datetime.now(UTC)  # noqa: TID251 - the draft's end was set by the real clock.

    decision = decide(change, load_documents(documents), known, now=now)

    assert decision.outcome.value == "reject"
    assert not any(one.result == "excepted" for one in decision.findings)


async def test_what_no_policy_decided_is_neither(run: Run, guard_database: Database) -> None:
    masked = await _recorded(guard_database)
    guard_database.write_now(lambda c: mask(c, masked, now=NOON), failpoint=TEST)
    for command in (("decisions", "to-test"), ("exceptions", "draft")):
        done = run(*command, masked)
        assert (done.code, "masked" in done.err) == (2, True)
        assert run(*command, "nowhere").code == 1


async def test_an_error_cannot_be_excepted(run: Run, guard_database: Database) -> None:
    allowed = await _recorded(guard_database, findings=())
    done = run("exceptions", "draft", allowed)
    assert (done.code, done.out) == (1, "")


def test_exceptions_are_listed_by_their_end(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "one-policy.yaml").write_text(
        "apiVersion: guard/v1\nkind: Policy\nname: one-policy\nmatch: {entity: mailbox}\n"
        "rules: [{id: the-rule, require: [{field: name, exists: true}], message: m}]\n"
    )
    near = (SystemClock().now() + timedelta(days=30)).date().isoformat()
    for name, expires in (
        ("too-far", "2099-12-31"), ("far-away", near), ("long-gone", "2020-01-01"),
    ):  # fmt: skip
        (folder / f"{name}.yaml").write_text(
            f"apiVersion: guard/v1\nkind: Exception\nname: {name}\npolicy: one-policy\n"
            f"rules: [the-rule]\nreason: r\nticket: T\napprovedBy: a@contoso.com\n"
            f"expires: {expires}\n"
        )
    every = json.loads(run("exceptions", "list", folder, "--output", "json").out)
    assert [(one["name"], one["state"], one["expires"]) for one in every] == [
        ("long-gone", "ended", "2020-01-01"), ("far-away", "current", near),
        ("too-far", "not-yet", "2099-12-31"),
    ]  # fmt: skip
    soon = run("exceptions", "list", folder, "--expiring", "14d").out
    assert "long-gone" in soon
    assert "far-away" not in soon
    assert run("exceptions", "list", folder, "--expiring", "soon").code == 2


def test_a_draft_and_a_shown_decision_say_whose_the_ids_are(run: Run, decision_id: str) -> None:
    draft = run("exceptions", "draft", decision_id).out
    assert f"equals: {USER} # anna@contoso.com" in draft
    shown = run("decisions", "show", decision_id).out
    assert f'new.owner.id = "{USER}" (unknown source), anna@contoso.com' in shown
    assert json.loads(run("decisions", "show", decision_id, "--output", "json").out)["names"] == {
        USER: "anna@contoso.com"
    }
