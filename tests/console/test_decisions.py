"""`mailbox-guard decisions` reads the ledger that a server wrote."""

from __future__ import annotations

import json
import os
import stat
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from console.edits import ID_DIGITS
from guard.ledger.entry import Effects, Entry, NewTask
from guard.ledger.stored import StoredLedger, mask
from kernel import claims
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.ids import new_id
from kernel.tasks import TaskCause, TaskReason, TaskState
from tests.conftest import NOON
from tests.console.conftest import TEST, Run

ANNAS = "11111111-1111-4111-8111-111111111111"
QUEUE = "55555555-5555-4555-8555-555555555555"
FIELDS = {
    "id", "decided_at", "decision", "cause", "table", "record_id", "operation", "mode", "stage",
    "correlation_id", "initiating_user_id", "rules", "policy_set", "obligations", "enforcement",
    "confirms", "actor", "address", "approval", "altered",
}  # fmt: skip
FINDING = {
    "policy": "own-address-only",
    "rule": "same-as-owner",
    "effect": "reject",
    "severity": "high",
    "message": "The address is not the owner's own.",
    "help": "Use the owner's address.",
}


@pytest.fixture
async def ledger(guard_database: Database, clock: FrozenClock) -> list[str]:
    """Two decisions: one allowed on a mailbox, one rejected on a queue; their ids, oldest first."""
    written = StoredLedger(guard_database, clock)
    allowed = Entry(
        id=new_id(clock.now()),
        decided_at=clock.now(),
        decision="allow",
        cause="rules",
        table="mailbox",
        record_id=ANNAS,
        status=200,
        key=None,
        public={
            "operation": "update",
            "mode": 0,
            "stage": 20,
            "rules": [],
            "correlation_id": "c1",
            "initiating_user_id": "u1",
            "policy_set": "abc",
            "enforcement": "enforce",
        },
        private={
            "before": {"emailaddress": "anna.old@contoso.com"},
            "altered": {"emailaddress": "anna@contoso.com"},
            "findings": [],
        },
    )
    await written.record(allowed)
    clock.advance(3600)
    rejected = replace(
        allowed,
        id=new_id(clock.now()),
        decided_at=clock.now(),
        decision="reject",
        table="queue",
        record_id=QUEUE,
        status=200,
        public={
            **allowed.public,
            "mode": 1,
            "stage": 40,
            "rules": ["own-address-only/same-as-owner"],
            "obliged": True,
        },
        private={
            "before": {"emailaddress": "anna.old@contoso.com"},
            "altered": {"emailaddress": "ceo@contoso.com"},
            "findings": [FINDING],
            "facts": {"actor.upn": "u2@contoso.com", "actor.roles": ["Sales"], "now": {"$at": 0}},
            "sources": {"actor.upn": "dataverse", "actor.roles": "dataverse"},
            "ages": {"actor.upn": 1.25},
            "missing": {"new.owner.upn": "it did not come within 5 seconds"},
        },
    )
    await written.record(rejected, effects=Effects(tasks=(NewTask("revert", rejected.id, {}),)))
    await written.make_checkpoint()
    return [allowed.id, rejected.id]


def listed(run: Run, *options: str) -> list[dict[str, Any]]:
    done = run("decisions", "list", "--output", "json", *options)
    assert done.code == 0
    found: list[dict[str, Any]] = json.loads(done.out)
    return found


@pytest.mark.usefixtures("guard_database")
def test_an_empty_ledger_lists_nothing_and_is_whole(run: Run) -> None:
    assert run("decisions", "list").out == "No decision fits.\n"
    assert listed(run) == []
    done = run("decisions", "verify")
    assert done.code == 0
    assert done.out == "Whole: 0 decisions in 0 chains, 0 masked, 0 pruned, 0 acts, 0 approvals.\n"


def test_a_first_command_makes_the_database_for_its_owner_alone(run: Run, tmp_path: Path) -> None:
    assert run("decisions", "list").code == 0
    assert (tmp_path / "data" / "mailbox-guard.db").is_file()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_decisions_are_listed_newest_first_with_every_promised_field(
    run: Run, ledger: list[str]
) -> None:
    found = listed(run)
    assert [one["id"] for one in found] == ledger[::-1]
    assert all(one.keys() >= FIELDS for one in found)
    newest = found[0]
    assert (newest["decision"], newest["table"], newest["operation"]) == (
        "reject",
        "queue",
        "update",
    )
    assert (newest["mode"], newest["stage"]) == (1, 40)
    assert [(one["kind"], one["state"]) for one in newest["obligations"]] == [("revert", "queued")]
    assert datetime.fromisoformat(newest["decided_at"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--decision", "reject"),
        ("--table", "queue"),
        ("--record", QUEUE),
        ("--record", "{" + QUEUE.upper() + "}"),
        ("--rule", "own-address-only/same-as-owner"),
        ("--since", "2026-11-23T12:30:00Z"),
        ("--since", "2026-11-23T12:30:00"),
        ("--limit", "1"),
    ],
)
def test_a_filter_leaves_what_fits(run: Run, ledger: list[str], option: str, value: str) -> None:
    assert [one["id"] for one in listed(run, option, value)] == ledger[1:]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--actor", "u2@contoso.com"),
        ("--address", "CEO@contoso.com"),
        ("--record", QUEUE[:8]),
        ("--table", "queue"),
    ],
)
def test_a_filter_by_person_address_or_first_characters(
    run: Run, ledger: list[str], option: str, value: str
) -> None:
    assert [one["id"] for one in listed(run, option, value)] == ledger[1:]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--table", "mailbx"), "No table is called `mailbx`."),
        (("--record", "mine"), "`mine` is no id of a record."),
        (("--address", "contoso.com"), "`contoso.com` is no address."),
        (("--actor", "bob"), "No user that the guard knows is called `bob`."),
        (("--rule", "own-adress-only"), "No policy or rule is called `own-adress-only`."),
        (("--since", "1d", "--until", "2d"), "--since is not before --until."),
    ],
)
@pytest.mark.usefixtures("ledger")
def test_a_filter_that_nothing_can_fit_is_refused_and_says_what_is_wrong(
    run: Run, options: tuple[str, ...], told: str
) -> None:
    done = run("decisions", "list", *options)
    assert (done.code, done.out) == (2, "")
    assert f"error: {told}" in done.err
    assert "hint: " in done.err


def test_until_ends_before_its_moment(run: Run, ledger: list[str]) -> None:
    assert [one["id"] for one in listed(run, "--until", "2026-11-23T13:00:00Z")] == ledger[:1]


def test_a_decision_is_named_by_the_first_characters_of_its_id(run: Run, ledger: list[str]) -> None:
    told = json.loads(run("decisions", "show", ledger[1][:ID_DIGITS], "--output", "json").out)
    assert told["id"] == ledger[1]
    several = run("decisions", "show", ledger[1][:4])
    assert several.code == 2
    assert "Several decisions have ids that begin with" in several.err


def test_a_spreadsheet_gets_a_line_for_each_edit(run: Run, ledger: list[str]) -> None:
    lines = run("decisions", "list", "--output", "csv").out.splitlines()
    assert lines[0].startswith("decided_at,decision,seen,")
    assert [line.rsplit(",", 1)[1] for line in lines[1:]] == ledger[::-1]


@pytest.mark.usefixtures("ledger")
def test_filters_that_contradict_leave_nothing(run: Run) -> None:
    assert listed(run, "--decision", "allow", "--table", "queue") == []


def test_a_span_counts_back_from_now(run: Run, ledger: list[str]) -> None:
    days = (datetime.now(UTC) - datetime(2026, 11, 23, tzinfo=UTC)).days  # noqa: TID251
    assert len(listed(run, "--since", f"{abs(days) + 2}d")) == len(ledger)


@pytest.mark.parametrize(
    "options",
    [
        ("--decision", "perhaps"),
        ("--since", "yesterday"),
        ("--limit", "0"),
        ("--output", "xml"),
        ("--frobnicate",),
    ],
)
def test_an_unusable_option_is_a_usage_error_that_names_it(
    run: Run, options: tuple[str, ...]
) -> None:
    done = run("decisions", "list", *options)
    assert (done.code, done.out) == (2, "")
    assert options[-1] in done.err


def test_the_text_shows_a_row_for_each_decision(run: Run, ledger: list[str]) -> None:
    out = run("decisions", "list").out
    assert all(one[:ID_DIGITS] in out for one in ledger)
    assert "own-address-only/same-as-owner" in out


def test_results_can_go_to_files_and_stdout_at_once(
    run: Run, ledger: list[str], tmp_path: Path
) -> None:
    done = run("decisions", "list", "--output", "json=found.json", "--output", "text")
    assert done.code == 0
    assert ledger[0][:ID_DIGITS] in done.out
    assert [one["id"] for one in json.loads((tmp_path / "found.json").read_text())] == ledger[::-1]
    assert run("decisions", "list", "--output", "json=other.json").out == ""


@pytest.mark.usefixtures("ledger")
def test_a_file_that_cannot_be_written_is_named(run: Run) -> None:
    done = run("decisions", "list", "--output", "json=missing/found.json")
    assert done.code == 2
    assert "missing/found.json" in done.err


def test_one_decision_is_shown_whole(run: Run, ledger: list[str]) -> None:
    done = run("decisions", "show", ledger[1])
    assert done.code == 0
    assert done.out.startswith(f"REJECT  update of queue {QUEUE}")
    assert "The address is not the owner's own." in done.out
    assert "fix: Use the owner's address." in done.out
    assert "then   revert: queued" in done.out
    shown = json.loads(run("decisions", "show", ledger[1].upper(), "--output", "json").out)
    assert shown["id"] == ledger[1]
    assert shown["findings"] == [FINDING]
    assert shown["private"]["after"] == {"emailaddress": "ceo@contoso.com"}


def test_the_facts_are_shown_with_their_source_and_their_age(run: Run, ledger: list[str]) -> None:
    done = run("decisions", "show", ledger[1])
    assert 'fact   actor.upn = "u2@contoso.com" (dataverse, 1.25 seconds old)' in done.out
    assert 'fact   actor.roles = ["Sales"] (dataverse)\n' in done.out
    assert "fact   now = 1970-01-01T00:00:00Z (unknown source)" in done.out
    assert "lacks  new.owner.upn: it did not come within 5 seconds" in done.out
    shown = json.loads(run("decisions", "show", ledger[1], "--output", "json").out)
    upn = next(one for one in shown["facts"] if one["name"] == "actor.upn")
    assert (upn["value"], upn["source"], upn["age_seconds"]) == (
        "u2@contoso.com", "dataverse", 1.25,
    )  # fmt: skip
    assert [one["age_seconds"] for one in shown["facts"] if one is not upn] == [0, 0]


@pytest.mark.usefixtures("ledger")
def test_an_unknown_decision_is_a_no_with_a_mend(run: Run) -> None:
    done = run("decisions", "show", "nonsense")
    assert (done.code, done.out) == (1, "")
    assert "error: No decision has the id nonsense." in done.err
    assert "hint: `mailbox-guard decisions list`" in done.err


def test_a_whole_ledger_is_proven(run: Run, ledger: list[str]) -> None:
    done = run("decisions", "verify", "--output", "json")
    assert done.code == 0
    verdict = json.loads(done.out)
    assert verdict["whole"] is True
    assert verdict["checked"] == len(ledger)
    assert verdict["first_bad_id"] is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE guard_decisions SET decision = 'allow' WHERE id = :id",
        "UPDATE guard_decisions SET public = replace(public, '\"update\"', '\"create\"') "
        "WHERE id = :id",
        "UPDATE guard_decisions SET private = replace(private, 'ceo', 'anna') WHERE id = :id",
        "UPDATE guard_decisions SET record_id = 'x' WHERE id = :id",
        "UPDATE guard_decisions SET decided_at = '2020-01-01T00:00:00.000000Z' WHERE id = :id",
        "UPDATE guard_decisions SET public = 'garbage' WHERE id = :id",
        "UPDATE guard_decisions SET public = '{}' WHERE id = :id",
        "DELETE FROM guard_decisions WHERE id = :id",
    ],
)
def test_an_alteration_is_found(
    run: Run, ledger: list[str], guard_database: Database, statement: str
) -> None:
    guard_database.write_now(
        lambda c: c.execute(text(statement), {"id": ledger[1]}), failpoint=TEST
    )
    done = run("decisions", "verify")
    assert done.code == 1
    assert done.out.startswith("Not whole: ")
    if statement.startswith("UPDATE"):
        verdict = json.loads(run("decisions", "verify", "--output", "json").out)
        assert verdict["first_bad_id"] == ledger[1]


def test_a_masked_record_is_shown_as_such_and_is_no_alteration(
    run: Run, ledger: list[str], guard_database: Database
) -> None:
    guard_database.write_now(lambda c: mask(c, ledger[1], now=NOON), failpoint=TEST)
    assert run("decisions", "verify").code == 0
    out = run("decisions", "show", ledger[1]).out
    assert "masked" in out
    assert "ceo@contoso.com" not in out


def test_a_locked_out_directory_is_a_could_not_be_done(run: Run, tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where a directory should be")
    done = run("decisions", "list")
    assert done.code == 2
    assert str(tmp_path / "data") in done.err
    assert os.linesep not in done.err.split("hint:")[0].strip()


def test_a_record_that_cannot_be_read_hides_no_other(
    run: Run, ledger: list[str], guard_database: Database
) -> None:
    garbage = text("UPDATE guard_decisions SET public = 'garbage' WHERE id = :id")
    guard_database.write_now(lambda c: c.execute(garbage, {"id": ledger[1]}), failpoint=TEST)
    listed = json.loads(run("decisions", "list", "--output", "json").out)
    assert [(one["id"], one["decision"]) for one in listed] == [
        (ledger[1], "unreadable"),
        (ledger[0], "allow"),
    ]
    shown = run("decisions", "show", ledger[1])
    assert shown.code == 1
    assert "can no longer be read" in shown.err


async def test_a_test_drafted_from_a_confirmation_is_of_what_it_confirms(
    run: Run, ledger: list[str], guard_database: Database, clock: FrozenClock
) -> None:
    confirmation = Entry(
        id=new_id(clock.now()),
        decided_at=clock.now(),
        decision="allow",
        cause="rules",
        table="mailbox",
        record_id=ANNAS,
        status=200,
        key=None,
        public={"operation": "update", "mode": 1, "stage": 40, "rules": [], "confirms": ledger[0]},
        private={"before": {}, "altered": {}, "findings": []},
    )
    await StoredLedger(guard_database, clock).record(confirmation)
    drafted = run("decisions", "to-test", confirmation.id)
    assert drafted.code == 0
    assert drafted.out == run("decisions", "to-test", ledger[0]).out


class TestRetry:
    """Obligations that need a person go on when a person says so."""

    @pytest.fixture
    def stopped(self, ledger: list[str], guard_database: Database, clock: FrozenClock) -> str:
        """The id of the decision whose revert needs a person."""

        def stop(connection: Connection) -> None:
            [task] = claims.claim(connection, now=clock.now(), limit=1)
            why = TaskReason(TaskCause.REFUSED, "No access.", "access-refused", "Give the right.")
            claims.stop(connection, task, TaskState.NEEDS_PERSON, why)

        guard_database.write_now(stop, failpoint=TEST)
        return ledger[1]

    def test_what_stopped_is_told_with_its_mend(self, run: Run, stopped: str) -> None:
        [one] = listed(run)[0]["obligations"]
        assert (one["state"], one["cause"], one["hint"]) == (
            "needs-person", "refused", "Give the right.",
        )  # fmt: skip
        told = run("decisions", "show", stopped).out
        assert "then   revert: needs-person (No access. Give the right)" in told

    @pytest.mark.parametrize("of_all", [True, False])
    def test_it_is_queued_again(self, run: Run, stopped: str, of_all: bool) -> None:
        done = run("decisions", "retry", "--all" if of_all else stopped.upper())
        assert (done.code, done.out) == (0, "1 obligation will be tried again.\n")
        [one] = listed(run)[0]["obligations"]
        assert (one["state"], one["cause"], one["result"]) == ("queued", None, None)

    def test_nothing_to_let_go_on_is_told(self, run: Run, ledger: list[str]) -> None:
        done = run("decisions", "retry", *ledger)
        assert (done.code, done.out) == (1, "No obligation needs a person.\n")

    @pytest.mark.parametrize("arguments", [(), ("--all", "d1")])
    @pytest.mark.usefixtures("guard_database")
    def test_decisions_are_named_or_all_are_meant(
        self, run: Run, arguments: tuple[str, ...]
    ) -> None:
        assert run("decisions", "retry", *arguments).code == 2
