"""What the guard remembers of an address: who has it, who had it, who set it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from guard.ledger.entry import Entry, MirrorRow
from guard.ledger.port import MemoryLedger
from kernel.clock import FrozenClock
from kernel.errors import Unavailable
from kernel.ids import new_id
from rules.model.change import Value
from tests.guard.assembled import AReceiver, a_receiver
from tests.guard.builders import ADMIN_ID, MAILBOX_ID, QUEUE_ID, USER_ID
from tests.guard.facts.questions import OWNED, a_question, gathered

HOLDERS = ("facts.addressElsewhere", "facts.formerHolderLeft")
PAST = ("facts.addressChangedBy", "facts.addressChangedOn", "facts.formerAddresses")
OTHER = "99999999-9999-4999-8999-999999999999"


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    return a_receiver(clock)


def seen(receiver: AReceiver, table: str, record_id: str, **columns: Value) -> None:
    columns = {name.replace("__", "."): value for name, value in columns.items()}
    row = MirrorRow(table, record_id, columns, receiver.clock.now())
    receiver.ledger.rows[table, record_id] = row


async def decided(receiver: AReceiver, before: str | None, after: str | None, **named: Any) -> None:
    receiver.clock.advance(60)
    now = receiver.clock.now()
    public = {"mode": 1, "initiating_user_id": ADMIN_ID, **named.pop("public", {})}
    entry = Entry(
        id=new_id(now),
        decided_at=now,
        decision=named.pop("decision", "allow"),
        cause="rules",
        table="mailbox",
        record_id=MAILBOX_ID,
        status=200,
        key=None,
        public=public,
        private={"before": {"emailaddress": before}, "altered": {"emailaddress": after}},
    )
    await receiver.ledger.record(entry)


class TestWhoHasIt:
    async def test_rows_that_belong_to_the_same_person_are_no_others(
        self, receiver: AReceiver
    ) -> None:
        seen(receiver, "mailbox", MAILBOX_ID, **{k.replace(".", "__"): v for k, v in OWNED.items()})
        seen(receiver, "systemuser", USER_ID, internalemailaddress="ANNA@contoso.com")
        found = await gathered(receiver, a_question(*HOLDERS))
        assert [found.values[path] for path in HOLDERS] == [0, False]
        assert found.sources["facts.addressElsewhere"] == "mirror"

    async def test_a_queue_and_its_mailbox_are_one_other(self, receiver: AReceiver) -> None:
        seen(receiver, "queue", QUEUE_ID, emailaddress=" Anna@contoso.com ")
        seen(receiver, "mailbox", OTHER, emailaddress="anna@contoso.com",
             regardingobjectid__id=QUEUE_ID, regardingobjectid__type="queue")  # fmt: skip
        seen(receiver, "queue", OTHER, emailaddress="other@contoso.com")
        found = await gathered(receiver, a_question(*HOLDERS))
        assert found.values["facts.addressElsewhere"] == 1

    async def test_another_user_with_it_who_is_disabled_has_left(self, receiver: AReceiver) -> None:
        seen(
            receiver, "systemuser", OTHER, internalemailaddress="anna@contoso.com", isdisabled=True
        )
        found = await gathered(receiver, a_question(*HOLDERS))
        assert [found.values[path] for path in HOLDERS] == [1, True]

    async def test_no_address_is_nobodys(self, receiver: AReceiver) -> None:
        seen(receiver, "queue", OTHER, emailaddress=None)
        found = await gathered(receiver, a_question(*HOLDERS, columns={"emailaddress": " "}))
        assert [found.values[path] for path in HOLDERS] == [0, False]

    async def test_it_is_not_known_until_every_row_was_seen(self, clock: FrozenClock) -> None:
        class Beginning(MemoryLedger):
            async def holders_of(self, address: str) -> None:
                return None

        found = await gathered(a_receiver(clock, ledger=Beginning()), a_question(*HOLDERS))
        assert found.missing == dict.fromkeys(
            HOLDERS, "not every row of Dataverse has been seen yet"
        )


class TestWhatItWas:
    async def test_the_newest_committed_change_names_who_and_when(
        self, receiver: AReceiver
    ) -> None:
        await decided(receiver, None, "a@contoso.com", public={"initiating_user_id": USER_ID})
        await decided(receiver, "a@contoso.com", "b@contoso.com")
        on = receiver.clock.now()
        await decided(receiver, "b@contoso.com", "B@contoso.com")
        found = await gathered(receiver, a_question(*PAST))
        assert [found.values[path] for path in PAST] == [ADMIN_ID, on, ("a@contoso.com",)]

    async def test_what_was_refused_or_not_committed_changed_nothing(
        self, receiver: AReceiver
    ) -> None:
        await decided(receiver, "a@contoso.com", "b@contoso.com", decision="reject")
        await decided(receiver, "a@contoso.com", "b@contoso.com", public={"mode": 0})
        found = await gathered(receiver, a_question(*PAST))
        assert [found.values[path] for path in PAST] == [None, None, ()]

    async def test_an_attributed_change_is_of_who_scheduled_it(self, receiver: AReceiver) -> None:
        await decided(receiver, "a@contoso.com", "b@contoso.com", public={"attributed_to": USER_ID})
        found = await gathered(receiver, a_question(*PAST))
        assert found.values["facts.addressChangedBy"] == USER_ID

    async def test_a_year_later_it_is_forgotten(self, receiver: AReceiver) -> None:
        await decided(receiver, "a@contoso.com", "b@contoso.com")
        receiver.clock.advance(timedelta(days=365).total_seconds() + 1)
        found = await gathered(receiver, a_question(*PAST))
        assert found.values["facts.formerAddresses"] == ()

    async def test_a_row_that_is_created_has_no_past(self, receiver: AReceiver) -> None:
        await decided(receiver, "a@contoso.com", "b@contoso.com")
        question = a_question(*PAST, operation="create", before={})
        assert (await gathered(receiver, question)).values["facts.addressChangedBy"] is None


async def test_a_ledger_that_cannot_be_read_says_so(clock: FrozenClock) -> None:
    class Silent(MemoryLedger):
        async def holders_of(self, address: str) -> Any:
            raise Unavailable("The database does not answer.")

        async def decisions_on(self, record_id: str, *, since: Any) -> Any:
            raise Unavailable("The database does not answer.")

    found = await gathered(a_receiver(clock, ledger=Silent()), a_question(*HOLDERS, *PAST))
    assert set(found.missing) == {*HOLDERS, *PAST}
    assert found.unanswered == "The database does not answer."
