from __future__ import annotations

import pytest

from cloud.errors import Unknown
from guard.notices.register import TurnState, notices
from guard.ports.notifier import NoticeRejected
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.model.decision import Outcome
from tests.guard.assembled import AGuard, a_guard
from tests.guard.builders import USER_ID
from tests.guard.obligations.decided import committed

CEO = {"emailaddress": "ceo@contoso.com"}
OWED_BY = committed(Outcome.REJECT, emailaddress="ceo@contoso.com")


@pytest.fixture
def guard(database: Database, clock: FrozenClock) -> AGuard:
    return a_guard(database, clock, mails=True, notifies=True)


async def test_a_person_gets_a_mail_beside_the_notification(guard: AGuard) -> None:
    guard.receiver.mail.locales[USER_ID] = 1031
    await guard.deliver(CEO)
    (mail,), (notice,) = guard.receiver.mail.given, guard.receiver.notifier.given
    assert mail.person_id == USER_ID
    assert mail.title == "Ihre Änderung (Postfach) wurde nicht angenommen"
    assert mail.decision_id == notice.decision_id


async def test_a_mail_that_may_have_been_sent_is_never_sent_again(
    guard: AGuard, clock: FrozenClock
) -> None:
    guard.receiver.mail.loses = Unknown("No answer.", until=clock.now())
    await guard.deliver(CEO)
    clock.advance(4000)
    await guard.tell()
    assert len(guard.receiver.mail.given) == 1
    kept = guard.database.read_now(lambda c: c.execute(notices.select()).all())
    assert {row.channel: row.state for row in kept} == {
        "mail": TurnState.UNKNOWN,
        "app": TurnState.GIVEN,
    }


async def test_who_has_no_mailbox_gets_the_notification_alone(guard: AGuard) -> None:
    guard.receiver.mail.refuses = NoticeRejected("The person has no mailbox in Entra.")
    await guard.deliver(CEO)
    assert len(guard.receiver.notifier.given) == 1
