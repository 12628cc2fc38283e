"""`mailbox-guard mailboxes` shows what is held approved, and steers it."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

import pytest

from kernel import approvals
from kernel.approvals import PERMIT_SECONDS
from kernel.database import Database
from tests.console.conftest import TEST, Run

ANNAS = "11111111-1111-4111-8111-111111111111"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
FIELDS = {
    "id", "address", "object_id", "owner", "approved", "epoch", "state", "reason", "fresh_as_of",
    "next_at",
}  # fmt: skip


@pytest.fixture
def approved(guard_database: Database) -> Database:
    """Anna's mailbox is held approved."""
    guard_database.write_now(
        lambda c: approvals.grant(
            c,
            record_id=ANNAS,
            address="anna@contoso.com",
            object_id="77777777-7777-4777-8777-777777777777",
            owner_id="22222222-2222-4222-8222-222222222222",
            owner_type="user",
            evidence={"decision": "d1"},
            now=NOW,
        ),
        failpoint=TEST,
    )
    return guard_database


@pytest.mark.usefixtures("guard_database")
def test_without_an_approval_there_is_no_mailbox(run: Run) -> None:
    assert run("mailboxes", "list").out == "No mailbox was ever approved or refused.\n"
    assert json.loads(run("mailboxes", "list", "--output", "json").out) == []


@pytest.mark.usefixtures("approved")
def test_an_approved_mailbox_is_listed_with_every_promised_field(run: Run) -> None:
    (one,) = json.loads(run("mailboxes", "list", "--output", "json").out)
    assert one.keys() >= FIELDS
    assert (one["id"], one["address"], one["approved"]) == (ANNAS, "anna@contoso.com", True)
    assert "anna@contoso.com" in run("mailboxes", "list").out


@pytest.mark.usefixtures("approved")
def test_one_mailbox_is_shown_with_its_evidence(run: Run) -> None:
    done = run("mailboxes", "show", ANNAS.upper())
    assert done.code == 0
    assert "decision: d1" in done.out
    shown = json.loads(run("mailboxes", "show", ANNAS, "--output", "json").out)
    assert shown["evidence"] == {"decision": "d1"}


@pytest.mark.usefixtures("approved")
@pytest.mark.parametrize("name", ["Anna@Contoso.com", ANNAS[:8], "{" + ANNAS.upper() + "}"])
def test_a_mailbox_is_named_by_address_or_by_the_beginning_of_its_id(run: Run, name: str) -> None:
    shown = json.loads(run("mailboxes", "show", name, "--output", "json").out)
    assert shown["id"] == ANNAS
    assert run("mailboxes", "pause", name).code == 0
    (one,) = json.loads(run("mailboxes", "list", "--output", "json").out)
    assert one["state"] == "paused"


def test_a_name_that_several_mailboxes_have_is_refused_with_their_ids(
    run: Run, approved: Database
) -> None:
    other = ANNAS[:8] + "-2222-4222-8222-222222222222"
    approved.write_now(
        lambda c: approvals.grant(
            c, record_id=other, address="anna@contoso.com", object_id="o", owner_id="u",
            owner_type="user", evidence={}, now=NOW,
        ),
        failpoint=TEST,
    )  # fmt: skip
    for name in ("anna@contoso.com", ANNAS[:8]):
        done = run("mailboxes", "withdraw", name, "--reason", "She left.")
        assert done.code == 2
        assert ANNAS in done.err
        assert other in done.err
    listed = json.loads(run("mailboxes", "list", "--output", "json").out)
    assert [one["approved"] for one in listed] == [True, True]


@pytest.mark.usefixtures("approved")
def test_text_for_people_has_words_and_no_python(run: Run) -> None:
    told = run("mailboxes", "show", ANNAS).out
    assert "approved: yes" in told
    assert not any(one in told for one in ("True", "False", "None"))


@pytest.mark.usefixtures("approved")
@pytest.mark.parametrize(
    "command",
    [("show",), ("pause",), ("resume",), ("withdraw", "--reason", "a test")],
    ids=lambda one: one[0],
)
def test_an_unknown_mailbox_is_a_no_with_a_mend(run: Run, command: tuple[str, ...]) -> None:
    done = run("mailboxes", command[0], "nonsense", *command[1:])
    assert (done.code, done.out) == (1, "")
    assert "No mailbox that was ever approved has the id or the address nonsense." in done.err
    assert "hint: `mailbox-guard mailboxes list`" in done.err


@pytest.mark.usefixtures("approved")
def test_a_withdrawal_needs_a_reason(run: Run) -> None:
    done = run("mailboxes", "withdraw", ANNAS)
    assert done.code == 2
    assert "--reason" in done.err


@pytest.mark.parametrize("reason", ["", " \t"])
def test_a_blank_reason_for_a_withdrawal_is_wrong_usage_and_withdraws_nothing(
    run: Run, approved: Database, reason: str
) -> None:
    done = run("mailboxes", "withdraw", ANNAS, "--reason", reason)
    assert done.code == 2
    assert "It is blank" in done.err
    held = approved.read_now(lambda c: approvals.find(c, ANNAS))
    assert held is not None
    assert held.state == "approved"


def test_a_withdrawal_ends_the_approval_and_waits_until_no_access_can_begin(
    run: Run, approved: Database
) -> None:
    began = time.monotonic()
    done = run("mailboxes", "withdraw", ANNAS, "--reason", "She left.")
    assert done.code == 0
    assert "no further access can begin" in done.out
    assert time.monotonic() - began >= PERMIT_SECONDS
    held = approved.read_now(lambda c: approvals.find(c, ANNAS))
    assert held is not None
    assert (held.state, held.reason, held.epoch) == ("withdrawn", "She left.", 2)
    (one,) = json.loads(run("mailboxes", "list", "--output", "json").out)
    assert (one["approved"], one["reason"]) == (False, "She left.")


@pytest.mark.usefixtures("approved")
def test_a_second_withdrawal_is_a_no(run: Run) -> None:
    run("mailboxes", "withdraw", ANNAS, "--reason", "She left.")
    done = run("mailboxes", "withdraw", ANNAS, "--reason", "Again.")
    assert done.code == 1
    assert "was not approved" in done.out


@pytest.mark.usefixtures("approved")
def test_a_paused_mailbox_stays_approved_and_rests_until_it_is_resumed(run: Run) -> None:
    assert run("mailboxes", "pause", ANNAS, "--reason", "On leave.").code == 0
    (one,) = json.loads(run("mailboxes", "list", "--output", "json").out)
    assert (one["approved"], one["state"], one["reason"]) == (True, "paused", "On leave.")
    done = run("mailboxes", "resume", ANNAS)
    assert (done.code, done.out) == (0, f"Mailbox {ANNAS} is resumed.\n")
    (one,) = json.loads(run("mailboxes", "list", "--output", "json").out)
    assert one["state"] != "paused"


@pytest.mark.usefixtures("approved")
def test_resuming_a_withdrawn_mailbox_says_that_it_is_not_approved_all_the_same(run: Run) -> None:
    run("mailboxes", "withdraw", ANNAS, "--reason", "She left.")
    done = run("mailboxes", "resume", ANNAS)
    assert done.code == 0
    assert "but it is not approved all the same" in done.out


def test_who_withdrew_a_mailbox_is_remembered_and_shown(run: Run, approved: Database) -> None:
    done = run("mailboxes", "withdraw", ANNAS, "--reason", "She left.", "--by", " Ben  Berg ")
    assert done.code == 0
    held = approved.read_now(lambda c: approvals.find(c, ANNAS))
    assert held is not None
    assert (held.withdrawn_by, held.cause) == ("Ben Berg", "person")
    shown = json.loads(run("mailboxes", "show", ANNAS, "--output", "json").out)
    assert (shown["withdrawn_by"], shown["reason"]) == ("Ben Berg", "She left.")
    assert "withdrawn_by: Ben Berg" in run("mailboxes", "show", ANNAS).out


def test_without_a_terminal_the_account_withdraws(
    run: Run, approved: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "operations")
    assert run("mailboxes", "withdraw", ANNAS, "--reason", "She left.").code == 0
    held = approved.read_now(lambda c: approvals.find(c, ANNAS))
    assert held is not None
    assert held.withdrawn_by == "operations"


@pytest.mark.parametrize("name", ["", "  ", "x" * 201, "a\x1b[31m"])
def test_a_name_that_says_nothing_withdraws_nothing(
    run: Run, approved: Database, name: str
) -> None:
    done = run("mailboxes", "withdraw", ANNAS, "--reason", "She left.", "--by", name)
    assert done.code == 2
    held = approved.read_now(lambda c: approvals.find(c, ANNAS))
    assert held is not None
    assert held.state == "approved"


def test_the_word_of_a_person_counts_for_a_mailbox_that_was_not_approved(
    run: Run, approved: Database
) -> None:
    run("mailboxes", "withdraw", ANNAS, "--reason", "She left.", "--by", "Ben")
    done = run("mailboxes", "withdraw", ANNAS, "--reason", "Again.", "--by", "Cleo")
    assert (done.code, "is remembered" in done.out) == (1, True)
    held = approved.read_now(lambda c: approvals.find(c, ANNAS))
    assert held is not None
    assert (held.withdrawn_by, held.reason, held.epoch) == ("Cleo", "Again.", 2)
