from __future__ import annotations

import asyncio
import gc
import json
from dataclasses import replace
from typing import Any

import pytest
import structlog

from guard.ledger.entry import Entry, Recorded
from guard.ledger.own_writes import OwnWrite
from guard.ledger.port import MemoryLedger
from guard.receive import Delivery
from guard.webhook import MOST_BYTES
from kernel.clock import FrozenClock
from kernel.errors import Unavailable
from tests.guard.assembled import AReceiver, a_receiver
from tests.guard.builders import (
    ADMIN_ID,
    GUARD_ID,
    MAILBOX_BEFORE,
    MAILBOX_ID,
    QUEUE_ID,
    USER_ID,
    body,
    choice,
    context,
    reference,
)

FOREIGN = {"emailaddress": "ceo@contoso.com"}
OWN = {"emailaddress": "ANNA@contoso.com"}
OWN_OR_HELD = """
apiVersion: guard/v1
kind: Policy
name: own-address
match: {entity: mailbox, operations: [create, update]}
rules:
  - id: own-or-held
    require:
      - anyOf:
          - {field: address, equals: {field: owner.upn}}
          - {field: addressOwner.objectId, equals: {field: owner.objectId}}
    message: "{address} is not the owner's."
"""


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    return a_receiver(clock)


class TestTheAnswerTable:
    async def test_a_body_over_the_limit_is_read_no_further(self, receiver: AReceiver) -> None:
        answer = await receiver.post(b"", length=MOST_BYTES + 1, chunks=[])
        assert answer.status == 413
        half = b"x" * (MOST_BYTES // 2 + 1)
        answer = await receiver.post(b"", chunks=[half, half, b"never read"], key="wrong")
        assert answer.status == 413
        assert answer.headers[b"connection"] == b"close"

    async def test_a_body_of_exactly_the_limit_is_read(self, receiver: AReceiver) -> None:
        padded = body(OWN).ljust(MOST_BYTES)
        assert (await receiver.post(padded, chunks=[padded[:1000], padded[1000:]])).status == 200

    async def test_the_key_comes_before_readability(self, receiver: AReceiver) -> None:
        assert (await receiver.post(b"nonsense", key="wrong")).status == 401
        assert (await receiver.post(b"nonsense", key=None)).status == 401
        assert (await receiver.post(b"nonsense")).status == 400
        assert not receiver.ledger.entries

    async def test_the_next_key_is_already_valid(self, receiver: AReceiver) -> None:
        assert (await receiver.post(body(OWN), key="next-key")).status == 200

    async def test_an_allowed_change_passes(self, receiver: AReceiver) -> None:
        answer = await receiver.post(body(OWN))
        assert answer.status == 200
        assert answer.body["decision"] == "allow"
        assert answer.body["findings"] == []
        assert answer.body["decision_id"] == receiver.ledger.entries[0].id

    async def test_a_warning_is_listed_and_passes(self, receiver: AReceiver) -> None:
        answer = await receiver.post(body({"incomingemaildeliverymethod": choice(1)}))
        assert (answer.status, answer.body["decision"]) == (200, "warn")
        assert answer.body["findings"] == [
            {
                "policy": "advice",
                "rule": "no-outlook",
                "effect": "warn",
                "severity": "low",
                "message": "Delivery by Outlook is discouraged.",
            }
        ]

    async def test_a_rejection_says_why(self, receiver: AReceiver) -> None:
        answer = await receiver.post(body(FOREIGN))
        assert answer.status == 403
        assert answer.headers[b"content-type"] == b"application/problem+json"
        assert answer.body["decision"] == "reject"
        assert answer.body["status"] == 403
        assert answer.body["type"]
        assert answer.body["title"]
        assert "ceo@contoso.com is not the sign-in name" in answer.body["detail"]
        (finding,) = answer.body["findings"]
        assert finding["policy"] == "own-address"
        assert finding["effect"] == "reject"
        assert finding["help"] == "Use the owner's sign-in name."

    async def test_a_hold_looks_like_a_refusal_and_says_hold(self, receiver: AReceiver) -> None:
        anna = receiver.rows.users[USER_ID]
        receiver.rows.users[USER_ID] = type(anna)(USER_ID, "vip@contoso.com", anna.object_id)
        answer = await receiver.post(body({"emailaddress": "vip@contoso.com"}))
        assert (answer.status, answer.body["decision"]) == (403, "hold")

    async def test_reject_and_hold_both_stand_in_the_answer(self, receiver: AReceiver) -> None:
        answer = await receiver.post(body({"emailaddress": "vip@contoso.com"}))
        assert answer.body["decision"] == "reject"
        assert {one["effect"] for one in answer.body["findings"]} == {"reject", "hold"}

    @pytest.mark.parametrize(
        "named", [{"table": "account"}, {"message": "Delete"}, {"table": "contact", "mode": 1}]
    )
    async def test_what_is_not_guarded_passes(self, receiver: AReceiver, named: Any) -> None:
        answer = await receiver.post(body(FOREIGN, **named))
        assert (answer.status, answer.body["decision"]) == (200, "allow")
        assert receiver.ledger.entries[0].cause == "not-guarded"

    @pytest.mark.parametrize(("mode", "status"), [(0, 403), (1, 200)])
    async def test_another_organisation_is_foreign_and_causes_nothing(
        self, receiver: AReceiver, mode: int, status: int
    ) -> None:
        answer = await receiver.post(body(FOREIGN, mode=mode, OrganizationId=QUEUE_ID))
        assert answer.status == status
        assert receiver.ledger.entries[0].cause == "foreign"
        assert not receiver.ledger.effects
        assert not receiver.rows.asked

    async def test_another_organisations_unguarded_table_passes(self, receiver: AReceiver) -> None:
        answer = await receiver.post(body({}, table="account", OrganizationId=QUEUE_ID))
        assert answer.status == 200

    @pytest.mark.parametrize("header", [True, False])
    async def test_a_stripped_delivery_is_refused_before_the_commit(
        self, receiver: AReceiver, header: bool
    ) -> None:
        posted = context(OWN)
        if not header:
            del posted["InputParameters"], posted["PreEntityImages"]
        headers = [(b"x-ms-dynamics-msg-size-exceeded", b"true")] if header else []
        answer = await receiver.post(json.dumps(posted).encode(), headers=headers)
        assert (answer.status, answer.body["decision"]) == (403, "reject")
        assert receiver.ledger.entries[0].cause == "stripped"
        assert answer.body["findings"][0]["effect"] == "error"

    async def test_an_undecidable_delivery_is_refused(self, receiver: AReceiver) -> None:
        answer = await receiver.post(body({"emailrouteraccessapproval": "approved"}))
        assert answer.status == 403
        assert receiver.ledger.entries[0].cause == "undecidable"

    async def test_a_committed_change_always_gets_200(self, receiver: AReceiver) -> None:
        answer = await receiver.post(body(FOREIGN, mode=1))
        assert (answer.status, answer.body["decision"]) == (200, "reject")

    async def test_not_ready_is_503_and_nothing_is_recorded(self, clock: FrozenClock) -> None:
        receiver = a_receiver(clock, readiness=lambda: "the schema is older than this program")
        answer = await receiver.post(body(OWN))
        assert answer.status == 503
        assert "schema" in answer.body["detail"]
        assert not receiver.ledger.entries

    async def test_a_ledger_that_cannot_be_written_is_503(self, receiver: AReceiver) -> None:
        receiver.ledger.failure = Unavailable("The disk is full.")
        assert (await receiver.post(body(OWN))).status == 503
        receiver.ledger.failure = ValueError("our own fault")
        assert (await receiver.post(body(OWN))).status == 503

    async def test_a_caller_that_is_gone_gets_no_answer_at_all(self, receiver: AReceiver) -> None:
        receiver.ledger.failure = asyncio.CancelledError()
        with pytest.raises(asyncio.CancelledError):
            await receiver.post(body(OWN))

    async def test_only_post_is_served(self, receiver: AReceiver) -> None:
        assert (await receiver.post(b"", method="GET")).status == 405

    async def test_what_fails_while_deciding_is_refused_not_an_error(
        self, receiver: AReceiver
    ) -> None:
        broken = replace(receiver.policies.current, index=None)  # type: ignore[arg-type]
        receiver.policies.swap(broken)
        with structlog.testing.capture_logs():
            answer = await receiver.post(body(OWN))
        assert answer.status == 403
        assert receiver.ledger.entries[0].cause == "undecidable"

    async def test_what_fails_while_reading_is_no_decision(self, receiver: AReceiver) -> None:
        receiver.policies.current = None  # type: ignore[assignment]
        assert (await receiver.post(body(OWN))).status == 503
        assert receiver.ledger.entries == []


class TestObserving:
    @pytest.fixture
    def receiver(self, clock: FrozenClock) -> AReceiver:
        return a_receiver(clock, enforcement="observe", readiness=lambda: self.reason)

    reason: str | None = None

    async def test_it_answers_200_and_records_what_it_would_have_done(
        self, receiver: AReceiver
    ) -> None:
        answer = await receiver.post(body(FOREIGN))
        assert (answer.status, answer.body["decision"]) == (200, "reject")
        assert answer.body["enforcement"] == "observe"
        assert receiver.ledger.entries[0].decision == "reject"

    async def test_it_reverts_nothing_and_grants_nothing(self, receiver: AReceiver) -> None:
        await receiver.post(body(FOREIGN, mode=1))
        await receiver.post(body({"emailrouteraccessapproval": choice(1)}, mode=1, actor=ADMIN_ID))
        assert all(not effects.tasks for effects in receiver.ledger.effects)

    async def test_it_never_stands_in_the_way(self, receiver: AReceiver) -> None:
        assert (await receiver.post(body({"emailrouteraccessapproval": "x"}))).status == 200
        receiver.ledger.failure = Unavailable("The disk is full.")
        assert (await receiver.post(body(OWN))).status == 200
        assert (await receiver.post(b"nonsense")).status == 400
        assert (await receiver.post(body(OWN), key="wrong")).status == 401


async def test_an_identical_delivery_gets_its_recorded_answer(receiver: AReceiver) -> None:
    posted = body(FOREIGN, operation_id=QUEUE_ID)
    first = await receiver.post(posted)
    receiver.rows.users[USER_ID] = type(receiver.rows.users[USER_ID])(USER_ID, "ceo@contoso.com")
    again = await receiver.post(posted)
    assert again.body == first.body
    assert len(receiver.ledger.entries) == 1
    assert (await receiver.post(body(FOREIGN))).status == 200


def _living_deliveries() -> int:
    gc.collect()
    return sum(isinstance(one, Delivery) for one in gc.get_objects())


class _SlowLedger(MemoryLedger):
    """Counts the deliveries that are alive when it is called, and then waits."""

    def __init__(self) -> None:
        super().__init__()
        self.living = 0
        self.called = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def record(self, entry: Entry, **named: Any) -> Recorded:
        self.called.set()
        await self.goes_on.wait()
        return await super().record(entry, **named)

    async def own_write(self, nonce: str) -> OwnWrite | None:
        self.living = _living_deliveries()
        return await super().own_write(nonce)


async def test_nothing_of_a_delivery_is_kept_while_the_ledger_writes(clock: FrozenClock) -> None:
    ledger = _SlowLedger()
    receiver = a_receiver(clock, ledger=ledger)
    tagged = body(OWN, tag="mailbox-guard-nonce", InitiatingUserId=GUARD_ID)
    posting = asyncio.create_task(receiver.post(tagged))
    await ledger.called.wait()
    assert (ledger.living, _living_deliveries()) == (1, 0)
    ledger.goes_on.set()
    assert (await posting).status == 200


async def test_two_edits_under_one_correlation_are_two_decisions(receiver: AReceiver) -> None:
    first = await receiver.post(body(OWN, CorrelationId=QUEUE_ID, operation_id=QUEUE_ID))
    second = await receiver.post(body(FOREIGN, CorrelationId=QUEUE_ID, operation_id=QUEUE_ID))
    assert (first.status, second.status) == (200, 403)


async def test_presence_is_not_change(receiver: AReceiver) -> None:
    unchanged = MAILBOX_BEFORE | {"emailaddress": "ceo@contoso.com"}
    answer = await receiver.post(body({"emailaddress": "CEO@contoso.com"}, before=unchanged))
    assert answer.status == 200


async def test_the_policy_set_can_be_swapped_while_running(receiver: AReceiver) -> None:
    from rules.load.loader import load_documents
    from tests.guard.assembled import VIP

    receiver.policies.swap(load_documents({"vip.yaml": VIP}))
    assert (await receiver.post(body(FOREIGN))).status == 200


async def test_a_decision_names_its_rules_and_policy_set(receiver: AReceiver) -> None:
    await receiver.post(body(FOREIGN))
    entry = receiver.ledger.entries[0]
    assert entry.public["rules"] == ["own-address/same-as-upn"]
    assert entry.public["policy_set"] == receiver.policies.current.digest
    assert entry.public["initiating_user_id"] == USER_ID
    assert "ceo@contoso.com" not in json.dumps(dict(entry.public))
    assert entry.record_id == MAILBOX_ID


class TestCreate:
    async def test_with_an_unreadable_owner_it_is_deferred_to_stage_40(
        self, receiver: AReceiver
    ) -> None:
        columns = {
            "emailaddress": "new@contoso.com",
            "emailrouteraccessapproval": choice(0),
            "ownerid": reference("systemuser", QUEUE_ID),
            "regardingobjectid": reference("systemuser", QUEUE_ID),
        }
        answer = await receiver.post(body(columns, message="Create"))
        assert (answer.status, answer.body["decision"]) == (200, "allow")
        entry = receiver.ledger.entries[0]
        assert entry.cause == "deferred"
        assert entry.public["deferred"] == ["own-address/same-as-upn"]
        assert f"user {QUEUE_ID}" not in receiver.rows.asked

    async def test_a_silent_directory_does_not_keep_it_from_being_deferred(
        self, clock: FrozenClock
    ) -> None:
        receiver = a_receiver(clock, documents={"policies/own-address.yaml": OWN_OR_HELD})
        receiver.directory.is_down = True
        columns = {
            "emailaddress": "new@contoso.com",
            "emailrouteraccessapproval": choice(0),
            "regardingobjectid": reference("systemuser", QUEUE_ID),
        }
        answer = await receiver.post(body(columns, message="Create"))
        assert (answer.status, answer.body["decision"]) == (200, "allow")
        assert receiver.ledger.entries[0].public["deferred"] == ["own-address/own-or-held"]

    async def test_with_approval_1_it_is_not_deferred(self, receiver: AReceiver) -> None:
        columns = {
            "emailaddress": "new@contoso.com",
            "emailrouteraccessapproval": choice(1),
            "ownerid": reference("systemuser", QUEUE_ID),
        }
        answer = await receiver.post(body(columns, message="Create", actor=ADMIN_ID))
        assert answer.status == 403
        assert receiver.ledger.entries[0].cause == "error"

    async def test_the_owner_is_known_from_the_parent_context(self, receiver: AReceiver) -> None:
        parent = context(
            {"domainname": "new@contoso.com"},
            table="systemuser",
            record_id=QUEUE_ID,
            message="Create",
            stage=30,
        )
        columns = {
            "emailaddress": "new@contoso.com",
            "emailrouteraccessapproval": choice(0),
            "regardingobjectid": reference("systemuser", QUEUE_ID),
        }
        for address, status in (("new@contoso.com", 200), ("ceo@contoso.com", 403)):
            posted = columns | {"emailaddress": address}
            answer = await receiver.post(body(posted, message="Create", parent=parent))
            assert answer.status == status
        assert [entry.cause for entry in receiver.ledger.entries] == ["rules", "rules"]

    async def test_an_unreadable_owner_does_not_hide_other_rules(self, receiver: AReceiver) -> None:
        columns = {
            "emailaddress": "vip@contoso.com",
            "ownerid": reference("systemuser", QUEUE_ID),
        }
        answer = await receiver.post(body(columns, message="Create"))
        assert (answer.status, answer.body["decision"]) == (403, "hold")


class TestTheLog:
    """Whatever is refused is one line, with ids and without anybody's values."""

    async def test_a_refused_change_is_told_once_it_is_recorded(self, receiver: AReceiver) -> None:
        with structlog.testing.capture_logs() as lines:
            answer = await receiver.post(body(FOREIGN))
        [line] = [one for one in lines if one["event"] == "change_refused"]
        assert line["decision_id"] == answer.body["decision_id"]
        assert (line["decision"], line["table"], line["record_id"]) == (
            "reject", "mailbox", MAILBOX_ID,
        )  # fmt: skip
        assert "own-address/same-as-upn" in line["rules"]
        assert "contoso.com" not in repr(line)

    @pytest.mark.parametrize(
        ("posted", "status"),
        [
            ({"content": b"nonsense"}, 400),
            ({"content": body(FOREIGN), "key": "wrong"}, 401),
            ({"content": b"", "length": MOST_BYTES + 1, "chunks": []}, 413),
        ],
    )
    async def test_a_refused_delivery_is_told_without_its_content(
        self, receiver: AReceiver, posted: dict[str, Any], status: int
    ) -> None:
        with structlog.testing.capture_logs() as lines:
            answer = await receiver.post(posted.pop("content"), **posted)
        assert answer.status == status
        [line] = lines
        assert (line["event"], line["status"]) == ("delivery_refused", status)
        assert "contoso.com" not in repr(line)

    async def test_an_allowed_change_is_no_line(self, receiver: AReceiver) -> None:
        with structlog.testing.capture_logs() as lines:
            await receiver.post(body(OWN))
        assert lines == []
