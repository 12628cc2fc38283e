"""Valid defaults for the sync's tests: messages, mailbox rows, and a whole sync on twins."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from kernel import approvals
from kernel.approvals import Renewal
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import failpoint
from kernel.principal import Principal, Proof
from rules.engine.policy_set import PolicySet
from sync.eligibility.evidence import MemoryEvidence
from sync.eligibility.memory import MemoryMailboxRows
from sync.eligibility.port import MailboxRow
from sync.engine.holder import LOOP, new_holder
from sync.engine.judging import CurrentPolicies
from sync.engine.workload import Workload
from sync.mail.emails.memory import MemoryEmailRows
from sync.mail.exchange.memory import MemoryExchange
from sync.mail.workload import INBOX, MailWorkload
from sync.meter import Meter
from sync.model.link import Link
from sync.model.stream import Stream, new_stream
from sync.operate.mailboxes import list_mailboxes
from sync.run.assembly import Assembly, assemble
from sync.store import links

ORGANIZATION = UUID("0d3c6a3e-6a6e-4b7a-9a53-5d0b6b9f2f11")
ANNA_RECORD = "aaaaaaaa-0000-4000-8000-000000000001"
ANNA_OBJECT = "aaaaaaaa-1111-4111-8111-000000000001"
ANNA_USER = "aaaaaaaa-2222-4222-8222-000000000001"
ANNA = "anna@contoso.com"
OPERATOR = Principal("Olga Operator", Proof.ACCOUNT)
BEN_RECORD = "bbbbbbbb-0000-4000-8000-000000000002"
BEN_OBJECT = "bbbbbbbb-1111-4111-8111-000000000002"
BEN = "ben@contoso.com"
PROFILE = "99999999-0000-4000-8000-000000000009"
TEST = failpoint("tests.sync", "A test of the sync writes.")
FILE: dict[str, Any] = {
    "@odata.type": "#microsoft.graph.fileAttachment",
    "id": "att-1",
    "name": "order.txt",
    "contentType": "text/plain",
    "size": 5,
    "_bytes": b"order",
}


def a_recipient(address: str | None, name: str = "") -> dict[str, Any]:
    return {"emailAddress": {"name": name or address, "address": address}}


def a_message(number: int = 1, **changes: Any) -> dict[str, Any]:
    message = {
        "@odata.type": "#microsoft.graph.message",
        "@odata.etag": f'W/"etag-{number}"',
        "id": f"AAkImmutable{number:05d}",
        "internetMessageId": f"<mail-{number}@fabrikam.com>",
        "subject": f"Order {number}",
        "isDraft": False,
        "hasAttachments": False,
        "importance": "normal",
        "body": {"contentType": "html", "content": f"<p>Order {number}</p>"},
        "from": a_recipient("buyer@fabrikam.com"),
        "toRecipients": [a_recipient(ANNA)],
        "ccRecipients": [],
        "bccRecipients": [],
        "sentDateTime": "2026-11-20T09:00:00Z",
        "receivedDateTime": "2026-11-20T09:00:03Z",
    }
    message.update(changes)
    return message


def a_mailbox_row(record_id: str = ANNA_RECORD, **changes: Any) -> MailboxRow:
    values: dict[str, Any] = {
        "record_id": record_id,
        "address": ANNA if record_id == ANNA_RECORD else BEN,
        "approval": 1,
        "state": 0,
        "incoming_delivery": 0,
        "profile_id": None,
        "owner_id": ANNA_USER,
    }
    return MailboxRow(**(values | changes))


def grant(
    database: Database,
    clock: FrozenClock,
    record_id: str = ANNA_RECORD,
    object_id: str = ANNA_OBJECT,
    address: str = ANNA,
) -> int:
    """Approve, newer than any withdrawal until now."""
    renewal = Renewal("an approver", clock.now() + timedelta(seconds=1))
    return database.write_now(
        lambda c: approvals.grant(
            c,
            record_id=record_id,
            address=address,
            object_id=object_id,
            owner_id=ANNA_USER,
            owner_type="systemuser",
            evidence={},
            now=clock.now(),
            renewal=renewal,
        ),
        failpoint=TEST,
    )


class World:
    """An organisation with two mailboxes, on twins; `sync` is one process's worth of the sync."""

    def __init__(self, database: Database, clock: FrozenClock, *, page_size: int = 10) -> None:
        self.database = database
        self.clock = clock
        self.meter = Meter()
        self.exchange = MemoryExchange(page_size=page_size)
        self.evidence = MemoryEvidence(database, clock)
        self.emails = MemoryEmailRows(meter=self.meter)
        self.mailbox_rows = MemoryMailboxRows(meter=self.meter)
        self.mailbox_rows.put(a_mailbox_row(ANNA_RECORD))
        self.mailbox_rows.put(a_mailbox_row(BEN_RECORD))
        self.mail = MailWorkload
        self.others: list[Workload[Any]] = []
        self.policies: PolicySet | None = None
        self.exchange.add_mailbox(ANNA_OBJECT)
        self.exchange.add_mailbox(BEN_OBJECT)
        self.sync = self.another_process()

    def another_process(
        self, database: Database | None = None, *, policies: CurrentPolicies | None = None
    ) -> Assembly:
        policy_set = self.policies
        if policies is None and policy_set is not None:
            policies = lambda: policy_set  # noqa: E731 - a name of its own would say no more.
        return assemble(
            database or self.database,
            self.clock,
            workloads=[self.mail(self.exchange, self.emails, ORGANIZATION), *self.others],
            mailbox_rows=self.mailbox_rows,
            holder=new_holder(LOOP),
            meter=self.meter,
            evidence=self.evidence,
            policies=policies,
        )

    def approve_anna(self) -> int:
        return grant(self.database, self.clock)

    def approve_ben(self) -> int:
        return grant(self.database, self.clock, BEN_RECORD, BEN_OBJECT, BEN)

    def subjects(self) -> list[str]:
        return sorted(row["subject"] for row in self.emails.rows.values())


def an_inbox() -> Stream:
    return new_stream(ANNA_RECORD, ANNA_OBJECT, workload=MailWorkload.name, folder=INBOX)


def link(world: World, number: int = 1, object_id: str = ANNA_OBJECT) -> Link:
    item_id = a_message(number)["id"]
    found = world.database.read_now(lambda c: links.find(c, object_id, item_id))
    assert found is not None
    return found


def state(world: World) -> tuple[str, str]:
    shown = _first(world)
    return shown["state"], shown["reason"]


def next_at(world: World) -> str | None:
    found: str | None = _first(world)["next_at"]
    return found


def _first(world: World) -> dict[str, Any]:
    return world.database.read_now(lambda c: list_mailboxes(c, now=world.clock.now()))[0]
