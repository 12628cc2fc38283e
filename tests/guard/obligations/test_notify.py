from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cloud.errors import Throttled, Unknown
from guard.consequences import Refusal
from guard.notices.notice import NoticeLink
from guard.notices.register import MOST_IN_ALL, MOST_PER_PERSON, TurnState, notices
from guard.notices.text import Places
from guard.obligations.notify import Notify
from guard.ports.notifier import NoticeRefused, NoticeRejected, NoticesAbsent
from guard.ports.rows import UserRow
from kernel import tasks
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import Unavailable
from kernel.tasks import TaskState
from rules.load.loader import load_documents
from rules.model.decision import Outcome
from tests.guard.assembled import OWN_ADDRESS, SYSTEM_ID, VIP, AGuard, a_guard
from tests.guard.builders import ADMIN_ID, GUARD_ID, MAILBOX_ID, USER_ID, body, choice
from tests.guard.obligations.decided import DECISION_ID, a_case, committed, unread

CEO = {"emailaddress": "ceo@contoso.com"}
OWED_BY = committed(Outcome.REJECT, emailaddress="ceo@contoso.com")
CONSOLE = Places("https://guard.contoso.com/", "helpdesk@contoso.com")
SHORT = timedelta(minutes=1)


@pytest.fixture
def guard(database: Database, clock: FrozenClock) -> AGuard:
    return a_guard(database, clock, notifies=True, places=CONSOLE)


def told(guard: AGuard) -> list[Any]:
    return guard.receiver.notifier.given


def all_tasks(guard: AGuard) -> list[tasks.Task]:
    found = guard.database.read_now(lambda c: tasks.list_states(c, states=list(TaskState)))
    return [one for one in found if one.kind == "notify"]


def states(guard: AGuard) -> list[str]:
    return [one.state.value for one in all_tasks(guard)]


def mailbox(number: int) -> str:
    return f"11111111-1111-4111-8111-{number:012d}"


async def attempt(guard: AGuard, number: int = 0, **named: Any) -> Any:
    """A person tries what is rejected before the commit."""
    record_id = mailbox(number) if number else MAILBOX_ID
    return await guard.deliver(named.pop("sent", CEO), record_id=record_id, **named)


def test_a_refusal_is_told_and_nothing_else() -> None:
    assert Notify.owed_by(committed(Outcome.ALLOW, emailaddress="x@contoso.com")) is None
    assert Notify.owed_by(committed(Outcome.WARN, emailaddress="x@contoso.com")) is None
    assert Notify.owed_by(committed(Outcome.HOLD, emailaddress="x@contoso.com")) is not None
    # What could not be read is judged later; that decision tells.
    assert Notify.owed_by(unread()) is None


def test_what_the_platform_approved_by_itself_is_told_to_whom_it_is_attributed() -> None:
    refusal = Refusal(a_case(), DECISION_ID, Outcome.REJECT, attributed_to=ADMIN_ID)
    owed = Notify.owed_by_refusal(refusal)
    assert owed is not None
    assert owed.person_id == ADMIN_ID
    nobody = replace(a_case(), initiating_user_id=None)
    assert Notify.owed_by_refusal(Refusal(nobody, DECISION_ID, Outcome.REJECT)) is None


async def test_a_rejection_before_the_commit_reaches_the_person_with_reason_and_mend(
    guard: AGuard,
) -> None:
    answer = await attempt(guard)
    assert answer.status == 403
    (notice,) = told(guard)
    assert notice.person_id == USER_ID
    assert notice.title == "Your change to a mailbox was not accepted"
    assert notice.body == (
        "ceo@contoso.com is not the sign-in name of the owner (Anna@contoso.com). "
        "Use the owner's sign-in name. Help: helpdesk@contoso.com. "
        f"Decision {answer.body['decision_id']}."
    )
    assert notice.links == (
        NoticeLink("Open the row", f"?pagetype=entityrecord&etn=mailbox&id={MAILBOX_ID}"),
        NoticeLink(
            "Show the decision",
            f"https://guard.contoso.com/decisions/{answer.body['decision_id']}",
        ),
    )
    (listed,) = guard.decisions()
    assert [(one["kind"], one["state"]) for one in listed["obligations"]] == [("notify", "done")]
    assert guard.receiver.metrics.counts["noticed", "app", "given"] == 1
    assert guard.is_whole()


async def test_a_hold_says_that_a_second_person_has_to_agree(guard: AGuard) -> None:
    guard.receiver.rows.users[USER_ID] = UserRow(USER_ID, "vip@contoso.com")
    await attempt(guard, sent={"emailaddress": "vip@contoso.com"})
    (notice,) = told(guard)
    assert notice.is_hold
    assert notice.title.endswith("waits for a second person")
    assert "A second person has to agree" in notice.body


async def test_a_rejection_that_was_committed_is_reverted_and_told(guard: AGuard) -> None:
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
    await guard.deliver(CEO, mode=1)
    assert len(told(guard)) == 1
    (listed,) = guard.decisions()
    assert {one["kind"]: one["state"] for one in listed["obligations"]} == {
        "revert": "done",
        "notify": "done",
    }


async def test_nobody_is_told_where_nothing_is_enforced_or_it_is_switched_off(
    database: Database, clock: FrozenClock
) -> None:
    for named in ({"notifies": True, "enforcement": "observe"}, {"notifies": False}):
        guard = a_guard(database, clock, **named)
        await attempt(guard)
        assert told(guard) == []
        assert all_tasks(guard) == []


async def test_another_organisation_makes_nobody_be_told(guard: AGuard) -> None:
    await guard.deliver(CEO, OrganizationId="0a1b2c3d-0000-4000-8000-0000000000bb")
    assert all_tasks(guard) == []


async def test_what_could_not_be_read_before_the_commit_is_told_without_a_word_of_it(
    guard: AGuard,
) -> None:
    answer = await guard.deliver({"emailaddress": {"a": 1}})
    assert answer.status == 403
    (notice,) = told(guard)
    assert notice.body.startswith("It could not be judged. Make it again in a moment.")


async def test_an_identical_delivery_tells_nothing_anew(guard: AGuard) -> None:
    delivery = body(CEO)
    for _ in range(2):
        await guard.receiver.post(delivery)
        await guard.tell()
    assert len(all_tasks(guard)) == len(told(guard)) == 1


async def test_what_is_tried_again_within_minutes_is_one_notice(
    guard: AGuard, clock: FrozenClock
) -> None:
    first = await attempt(guard)
    clock.advance(60)
    await attempt(guard)
    # The same, seen after its commit.
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
    await guard.deliver(CEO, mode=1)
    assert len(told(guard)) == 1
    repeats = [one.result for one in all_tasks(guard)[1:]]
    assert repeats == [f"told of the same by decision {first.body['decision_id']}"] * 2
    clock.advance(700)
    await attempt(guard)
    assert len(told(guard)) == 2


async def test_one_edit_that_shows_on_several_rows_is_one_notice(guard: AGuard) -> None:
    edit = {"CorrelationId": "abababab-abab-4bab-8bab-abababababab"}
    await attempt(guard, 1, **edit)
    await attempt(guard, 2, **edit)
    assert len(told(guard)) == 1


async def test_a_person_is_told_so_often_and_then_how_many_were_left_out(
    guard: AGuard, clock: FrozenClock
) -> None:
    for number in range(1, MOST_PER_PERSON + 4):
        await attempt(guard, number)
    assert len(told(guard)) == MOST_PER_PERSON
    assert set(states(guard)) == {"done"}
    # Others are told all the same.
    await attempt(guard, 90, actor=ADMIN_ID)
    assert told(guard)[-1].person_id == ADMIN_ID
    clock.advance(3700)
    await attempt(guard, 91)
    assert "Not told before: 3." in told(guard)[-1].body
    await attempt(guard, 92)
    assert "Not told before" not in told(guard)[-1].body


async def test_a_flood_in_the_names_of_many_is_bounded_and_takes_no_turn_of_what_was_seen(
    guard: AGuard,
) -> None:
    people = [f"22222222-2222-4222-8222-{number:012d}" for number in range(MOST_IN_ALL + 5)]
    rows = guard.receiver.rows
    rows.users |= {one: UserRow(one, f"u{number}@contoso.com") for number, one in enumerate(people)}
    for number, person in enumerate(people, 1):
        await guard.receiver.post(body(CEO, record_id=mailbox(number), actor=person))
    for _ in range(3):
        await guard.tell()
    assert len(told(guard)) == MOST_IN_ALL
    seen = guard.database.read_now(
        lambda c: [row.state for row in c.execute(notices.select())].count(TurnState.LEFT_OUT)
    )
    assert seen == 5


@pytest.mark.parametrize("actor", [SYSTEM_ID, GUARD_ID, "dddddddd-0000-4000-8000-00000000dead"])
async def test_the_platform_an_application_and_nobody_are_not_told(
    guard: AGuard, actor: str
) -> None:
    await attempt(guard, actor=actor)
    assert told(guard) == []
    assert [one.result for one in all_tasks(guard)] == ["there is nobody to tell"]


@pytest.mark.parametrize(
    "value",
    [
        "Call us at once: your account was stolen",
        "https://fabrikam.com/login",
        "fabrikam.com",
        "www.fabrikam.example",
        "[here](https://fabrikam.com)",
        "a@contoso.com\nVisit",
        "x" * 100,
    ],
)
async def test_nobody_writes_to_people_through_a_delivery(guard: AGuard, value: str) -> None:
    await attempt(guard, sent={"emailaddress": value})
    (notice,) = told(guard)
    assert notice.body.startswith("… is not the sign-in name of the owner")
    assert value[:20] not in notice.body


async def test_a_forged_name_of_a_table_or_row_leads_nowhere_else(guard: AGuard) -> None:
    """What is no id of a row or person is nobody's."""
    await attempt(guard, actor="x) or (1 eq 1")
    assert told(guard) == []


async def test_after_a_crash_between_giving_and_writing_down_it_is_found(
    guard: AGuard, clock: FrozenClock
) -> None:
    notifier = guard.receiver.notifier
    notifier.loses = Unknown("The answer was lost.", until=clock.now() + SHORT)
    await attempt(guard)
    assert (len(told(guard)), states(guard)) == (1, ["queued"])
    notifier.loses = None
    clock.advance(120)
    await guard.tell()
    assert (len(told(guard)), states(guard)) == (1, ["done"])
    assert all_tasks(guard)[0].result == "told before"


@pytest.mark.parametrize("kind", [Unavailable, Throttled])
async def test_while_dataverse_gives_no_answer_it_is_tried_again_for_a_day(
    guard: AGuard, clock: FrozenClock, kind: Any
) -> None:
    until = {"until": clock.now() + SHORT} if kind is Throttled else {}
    guard.receiver.notifier.fails = kind("Not now.", **until)
    await attempt(guard)
    assert states(guard) == ["queued"]
    clock.advance(25 * 3600)
    await guard.tell()
    assert [one.result for one in all_tasks(guard)] == ["it came too late to be told"]
    guard.receiver.notifier.fails = None
    await attempt(guard, 1)
    assert "Not told before: 1." in told(guard)[0].body


async def test_a_missing_privilege_needs_a_person_once_and_heals_by_itself(
    guard: AGuard, clock: FrozenClock
) -> None:
    notifier = guard.receiver.notifier
    notifier.refuses = NoticeRefused("Not for you.", hint="Give the privilege.")
    for number in range(1, 5):
        await attempt(guard, number)
    assert sorted(states(guard)) == ["done", "done", "done", "needs-person"]
    asked = len(notifier.asked)
    await attempt(guard, 9, actor=ADMIN_ID)
    assert len(notifier.asked) == asked
    notifier.refuses = None
    clock.advance(3700)
    await guard.tell()
    assert len(told(guard)) == 1
    assert "Not told before: 3." in told(guard)[0].body
    await attempt(guard, 10)
    assert len(told(guard)) == 2


async def test_an_organisation_without_notifications_leaves_nothing_open(guard: AGuard) -> None:
    guard.receiver.notifier.refuses = NoticesAbsent("It has none.")
    await attempt(guard, 1)
    await attempt(guard, 2)
    assert states(guard) == ["done", "done"]
    assert guard.receiver.metrics.counts["noticed", "app", "absent"] == 2


async def test_one_that_dataverse_does_not_take_holds_up_no_other(guard: AGuard) -> None:
    guard.receiver.notifier.refuses = NoticeRejected("Not this one.")
    await attempt(guard, 1)
    guard.receiver.notifier.refuses = None
    await attempt(guard, 2)
    assert states(guard) == ["failed", "done"]
    assert len(told(guard)) == 1


async def test_what_was_masked_meanwhile_is_not_told(guard: AGuard) -> None:
    answer = await guard.receiver.post(body(CEO))
    await guard.receiver.ledger.mask(answer.body["decision_id"])
    await guard.tell()
    assert told(guard) == []
    assert [one.result for one in all_tasks(guard)] == ["its record was masked"]


async def test_a_notice_that_waits_hides_no_bypass(guard: AGuard) -> None:
    """Only what mends a row counts as taken care of when the reconciliation finds a difference."""
    await guard.reconciler.run()
    guard.receiver.notifier.fails = Unavailable("Not now.")
    await attempt(guard)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **CEO)
    await guard.reconciler.run()
    await guard.carry_out()
    row = guard.receiver.rows._stored("mailbox", MAILBOX_ID)
    assert row is not None
    assert row.columns["emailaddress"] == "anna@contoso.com"


async def test_the_language_of_the_person_frames_it(guard: AGuard) -> None:
    guard.receiver.notifier.locales[USER_ID] = 1031
    await attempt(guard)
    assert told(guard)[0].title == "Ihre Änderung (Postfach) wurde nicht angenommen"
    assert "Entscheidung " in told(guard)[0].body


async def test_a_policy_that_has_the_persons_language_speaks_it(
    database: Database, clock: FrozenClock
) -> None:
    german = """message:
      en: "{address} is not the sign-in name of the owner ({owner.upn})."
      de: "{address} ist nicht der Anmeldename von {owner.upn}."
"""
    text = OWN_ADDRESS.replace(
        'message: "{address} is not the sign-in name of the owner ({owner.upn})."\n', german
    )
    assert text != OWN_ADDRESS
    guard = a_guard(database, clock, notifies=True, documents={"policies/own-address.yaml": text})
    guard.receiver.notifier.locales[USER_ID] = 1031
    answer = await attempt(guard)
    assert "is not the sign-in name" in answer.body["findings"][0]["message"]
    assert told(guard)[0].body.startswith(
        "ceo@contoso.com ist nicht der Anmeldename von Anna@contoso.com. "
    )
    # The set that decided speaks, though another is in force meanwhile.
    clock.advance(700)
    await guard.receiver.post(body(CEO))
    guard.receiver.policies.swap(load_documents({"policies/vip.yaml": VIP}))
    await guard.tell()
    assert told(guard)[1].body.startswith("ceo@contoso.com ist nicht der Anmeldename")


async def test_a_law_of_the_guard_is_told_in_its_own_words(guard: AGuard) -> None:
    await attempt(guard, sent={"emailrouteraccessapproval": choice(1)}, actor=SYSTEM_ID)
    # Nobody scheduled the test, so there is nobody to tell.
    assert told(guard) == []
