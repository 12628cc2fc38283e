"""What the guard remembers and is told decides: shipped rules, enforced, over a whole guard."""

from __future__ import annotations

import pytest

from cloud.errors import Refused
from guard.ledger.entry import MirrorRow
from kernel.clock import FrozenClock
from rules.syntax.shipped import shipped_folder
from tests.guard.assembled import AReceiver, a_receiver
from tests.guard.builders import (
    ADMIN_ID,
    MAILBOX_ID,
    OBJECT_ID,
    QUEUE_ID,
    USER_ID,
    body,
    choice,
    reference,
)

POLICIES = ("approver-not-requester", "burst-limit", "duplicate-address", "former-address")


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    """A guard with the policies that live on memory, one of them stricter than shipped."""
    documents = {"fields.yaml": (shipped_folder() / "fields.yaml").read_text("utf-8")}
    for name in POLICIES:
        text = (shipped_folder() / f"{name}.yaml").read_text("utf-8")
        text = text.replace("mode: audit", "mode: enforce")
        documents[f"{name}.yaml"] = text.replace("mostPerHour: 20", "mostPerHour: 2")
    return a_receiver(clock, documents=documents)


async def moved(
    receiver: AReceiver,
    address: str,
    *,
    before: str | None = "old@contoso.com",
    record_id: str = MAILBOX_ID,
    actor: str = ADMIN_ID,
    mode: int = 1,
) -> list[str]:
    """Change the address of a queue and return the rules that refuse it."""
    receiver.clock.advance(1)
    answer = await receiver.post(
        body(
            {"emailaddress": address},
            before={"emailaddress": before, "emailrouteraccessapproval": choice(2),
                    "ownerid": reference("systemuser", USER_ID)},
            table="queue", record_id=record_id, actor=actor, mode=mode,
            operation_id=f"{int(receiver.clock.now().timestamp()):032x}",
        )
    )  # fmt: skip
    return [f"{one['policy']}/{one['rule']}" for one in answer.body["findings"]]


async def test_the_third_row_of_an_hour_is_one_too_many(receiver: AReceiver) -> None:
    rows = [f"{n}0000000-0000-4000-8000-000000000000" for n in range(1, 5)]
    found = [await moved(receiver, f"a{n}@contoso.com", record_id=rows[n]) for n in range(3)]
    assert found == [[], [], ["burst-limit/within-limit"]]
    assert await moved(receiver, "b@contoso.com", record_id=rows[3], actor=USER_ID) == []


async def test_an_address_that_stands_elsewhere_is_refused(receiver: AReceiver) -> None:
    row = MirrorRow(
        "systemuser",
        USER_ID,
        {"internalemailaddress": "gone@contoso.com", "isdisabled": True},
        receiver.clock.now(),
    )
    receiver.ledger.rows["systemuser", USER_ID] = row
    assert await moved(receiver, "GONE@contoso.com", mode=0) == [
        "duplicate-address/not-elsewhere",
        "former-address/not-of-a-leaver",
    ]


async def test_an_address_that_was_left_does_not_come_back(receiver: AReceiver) -> None:
    await moved(receiver, "b@contoso.com", before="a@contoso.com", record_id=QUEUE_ID)
    returned = await moved(receiver, "A@contoso.com", before="b@contoso.com", record_id=QUEUE_ID)
    assert returned == ["former-address/not-restored"]


async def test_who_set_the_address_does_not_approve_it(receiver: AReceiver) -> None:
    async def approved(actor: str) -> list[str]:
        answer = await receiver.post(
            body(
                {"emailrouteraccessapproval": choice(1)},
                before={"emailaddress": "b@contoso.com", "emailrouteraccessapproval": choice(2),
                        "ownerid": reference("systemuser", USER_ID)},
                table="queue", record_id=QUEUE_ID, actor=actor,
            )
        )  # fmt: skip
        return [f"{one['policy']}/{one['rule']}" for one in answer.body["findings"]]

    await moved(receiver, "b@contoso.com", before="a@contoso.com", record_id=QUEUE_ID)
    assert await approved(ADMIN_ID) == ["approver-not-requester/another-person"]
    assert await approved(USER_ID) == []


async def test_a_shared_mailbox_waits_for_a_steward_and_an_unknown_purpose_for_nobody(
    clock: FrozenClock,
) -> None:
    async def refused(object_id: str) -> str:
        raise Refused("The app may not.")

    name = "shared-mailbox-steward.yaml"
    documents = {"fields.yaml": (shipped_folder() / "fields.yaml").read_text("utf-8")}
    text = (shipped_folder() / name).read_text("utf-8")
    documents[name] = text.replace("mode: audit", "mode: enforce")
    receiver = a_receiver(clock, documents=documents)

    async def approved() -> tuple[int, list[str]]:
        itself = reference("systemuser", USER_ID)
        receiver.clock.advance(1)
        answer = await receiver.post(
            body(
                {"emailrouteraccessapproval": choice(1)},
                before={"emailaddress": "anna@contoso.com", "emailrouteraccessapproval": choice(2),
                        "ownerid": itself, "regardingobjectid": itself},
                operation_id=f"{int(receiver.clock.now().timestamp()):032x}",
            )
        )  # fmt: skip
        return answer.status, [one["effect"] for one in answer.body["findings"]]

    assert await approved() == (200, [])
    receiver.directory.purposes[OBJECT_ID] = "shared"
    assert await approved() == (403, ["hold"])
    receiver.directory.mailbox_purpose = refused  # type: ignore[method-assign]
    assert await approved() == (200, ["error"])
