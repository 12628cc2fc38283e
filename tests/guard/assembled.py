"""A guard put together over its twins, as wiring does over live ports."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from guard.active_policies import ActivePolicies
from guard.assembly import Guard, Receiver, Sources, Values, assemble_guard, assemble_receiver
from guard.facts.actor import SYSTEM_ADMINISTRATOR
from guard.facts.asking import AskedDirectory, AskedRows, Asking
from guard.identity import OwnIdentity
from guard.intake import Intake
from guard.judge import Judge
from guard.ledger.filters import DecisionFilter
from guard.ledger.listing import list_decisions
from guard.ledger.port import Ledger, MemoryLedger
from guard.ledger.stored import StoredLedger
from guard.ledger.verify import verify
from guard.notices.text import Places
from guard.ports.directory import MemoryDirectory, Person
from guard.ports.metrics import CountingMetrics
from guard.ports.notifier import MemoryNotifier
from guard.ports.rows import HeldRole, MemoryRows, Myself, Rows, UserRow
from guard.read_back import ReadBack
from guard.record import DecisionRecorder
from guard.watch.drift import DriftWatch
from guard.watch.reconcile import Reconciler
from guard.watch.scan import Scanner
from guard.webhook import Webhook
from kernel import approvals
from kernel.approvals import Approval
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.load.loader import load_documents
from tests.guard.builders import (
    ADMIN_ID,
    ADMIN_OBJECT_ID,
    CEO_OBJECT_ID,
    GUARD_ID,
    MAILBOX_ID,
    OBJECT_ID,
    ORGANIZATION,
    USER_ID,
    body,
)

KEY = "secret-key"
APPROVER_ROLE = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
SYSTEM_ID = "cccccccc-cccc-4ccc-8ccc-cccccccccccc"

OWN_ADDRESS = """
apiVersion: guard/v1
kind: Policy
name: own-address
title: A user's mailbox uses the sign-in name
severity: high
mode: enforce
match: {entity: [mailbox, systemuser], operations: [create, update]}
rules:
  - id: same-as-upn
    when: [{field: address, changed: true}]
    require: [{field: address, equals: {field: owner.upn}}]
    unless: [{field: owner.type, in: [queue, team]}]
    message: "{address} is not the sign-in name of the owner ({owner.upn})."
    help: Use the owner's sign-in name.
"""
VIP = """
apiVersion: guard/v1
kind: Policy
name: vip
title: The address of a VIP waits for a person
severity: critical
mode: enforce
match: {entity: [mailbox, systemuser, queue], operations: [create, update]}
rules:
  - id: held
    effect: hold
    when: [{field: address, changed: true}]
    require: [{field: address, notEquals: vip@contoso.com}]
    message: "{address} belongs to a VIP."
"""
APPROVER = """
apiVersion: guard/v1
kind: Policy
name: approver
title: Only the qualified approve
severity: high
mode: enforce
match:
  entity: [mailbox, systemuser, queue]
  operations: [create, update]
  when: [{field: approval, becomes: approved}]
rules:
  - id: qualified
    require:
      - {field: actor.isSystemAdministrator, equals: true}
      - anyOf:
          - {field: actor.entraRoles, contains: 62e90394-69f5-4237-9190-012177145e10}
          - {field: actor.isDelegatedApprover, equals: true}
    message: "{actor.upn} may not approve mailboxes."
"""
ADVICE = """
apiVersion: guard/v1
kind: Policy
name: advice
title: Outlook delivery is discouraged
severity: low
mode: warn
match: {entity: mailbox, operations: [update]}
rules:
  - id: no-outlook
    require: [{field: incomingemaildeliverymethod, notEquals: outlook}]
    message: Delivery by Outlook is discouraged.
"""
POLICIES = {
    "policies/own-address.yaml": OWN_ADDRESS,
    "policies/vip.yaml": VIP,
    "policies/approver.yaml": APPROVER,
    "policies/advice.yaml": ADVICE,
}


@dataclass
class Answer:
    status: int
    headers: dict[bytes, bytes]
    body: dict[str, Any]


@dataclass
class AReceiver:
    """A receiver and the twins that it stands on."""

    clock: FrozenClock
    ledger: Any
    rows: MemoryRows
    directory: MemoryDirectory
    metrics: CountingMetrics
    policies: ActivePolicies
    values: Values
    parts: Receiver
    notifier: MemoryNotifier
    team: MemoryNotifier
    mail: MemoryNotifier

    @property
    def identity(self) -> OwnIdentity:
        return self.parts.identity

    @property
    def judge(self) -> Judge:
        return self.parts.judge

    @property
    def recorder(self) -> DecisionRecorder:
        return self.parts.recorder

    @property
    def read_back(self) -> ReadBack:
        return self.parts.read_back

    @property
    def intake(self) -> Intake:
        return self.parts.intake

    @property
    def webhook(self) -> Webhook:
        return self.parts.webhook

    async def post(self, body: bytes, **named: Any) -> Answer:
        return await post(self.webhook, body, **named)


def a_receiver(
    clock: FrozenClock,
    *,
    ledger: Ledger | None = None,
    enforcement: str = "enforce",
    documents: dict[str, str] | None = None,
    deadline_seconds: float = 5.0,
    delegated_role_id: str | None = APPROVER_ROLE,
    readiness: Any = lambda: None,
    remembers: bool = False,
    notifies: bool = False,
    tells_team: bool = False,
    mails: bool = False,
    places: Places | None = None,
) -> AReceiver:
    ledger = ledger if ledger is not None else MemoryLedger()
    rows = MemoryRows(Myself(ORGANIZATION, GUARD_ID), clock)
    rows.users = {
        USER_ID: UserRow(USER_ID, "Anna@contoso.com", OBJECT_ID),
        ADMIN_ID: UserRow(ADMIN_ID, "admin@contoso.com", ADMIN_OBJECT_ID),
        GUARD_ID: UserRow(GUARD_ID, None, None, "dddddddd-dddd-4ddd-8ddd-dddddddddddd"),
        SYSTEM_ID: UserRow(SYSTEM_ID),
    }
    rows.roles = {
        ADMIN_ID: [HeldRole("r1", "Administrador", SYSTEM_ADMINISTRATOR, "r0")],
    }
    rows.put(
        "mailbox",
        MAILBOX_ID,
        emailaddress="anna@contoso.com",
        emailrouteraccessapproval=2,
        statecode=0,
        ownerid__id=USER_ID,
        ownerid__type="systemuser",
        regardingobjectid__id=USER_ID,
        regardingobjectid__type="systemuser",
    )
    directory = MemoryDirectory(
        [
            Person(OBJECT_ID, "anna@contoso.com", "anna@contoso.com", ("SMTP:anna@contoso.com",)),
            Person(CEO_OBJECT_ID, "ceo@contoso.com", "ceo@contoso.com", ("smtp:boss@contoso.com",)),
            Person(ADMIN_OBJECT_ID, "admin@contoso.com", "admin@contoso.com"),
        ]
    )
    directory.roles = {ADMIN_OBJECT_ID: (GLOBAL_ADMINISTRATOR,)}
    metrics = CountingMetrics()
    policies = ActivePolicies(load_documents(documents or POLICIES))
    values = Values(
        webhook_keys=(KEY, "next-key"),
        enforcement=enforcement,
        deadline_seconds=deadline_seconds,
        delegated_role_id=delegated_role_id,
        notifies=notifies,
        tells_team=tells_team,
        mails=mails,
        places=places or Places(),
    )
    sources = Sources(rows, directory)
    if remembers:
        asking = Asking(clock)
        sources = Sources(AskedRows(rows, asking), AskedDirectory(directory, asking))
    parts = assemble_receiver(
        sources,
        ledger,
        policies,
        OwnIdentity(ORGANIZATION, GUARD_ID),
        clock,
        metrics,
        values,
        readiness=readiness,
    )
    notifier, team, mail = MemoryNotifier(), MemoryNotifier(), MemoryNotifier()
    return AReceiver(
        clock, ledger, rows, directory, metrics, policies, values, parts, notifier, team, mail
    )


async def post(
    webhook: Webhook,
    body: bytes,
    *,
    key: str | None = KEY,
    headers: list[tuple[bytes, bytes]] | None = None,
    chunks: list[bytes] | None = None,
    length: int | None = None,
    method: str = "POST",
) -> Answer:
    """Post to the ASGI callable and return what it sent."""
    given = list(headers or [])
    if length is not None:
        given.append((b"content-length", str(length).encode()))
    parts = list(chunks if chunks is not None else [body])
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        assert parts, "the body was read further than it goes"
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: Any) -> None:
        sent.append(message)

    query = f"code={key}".encode() if key is not None else b""
    await webhook(
        {"type": "http", "method": method, "query_string": query, "headers": given}, receive, send
    )
    start, end = sent
    return Answer(start["status"], dict(start["headers"]), json.loads(end["body"]))


@dataclass
class AGuard:
    """A guard on a real database, with its obligations carried out on demand."""

    receiver: AReceiver
    database: Database
    parts: Guard

    async def carry_out(self) -> None:
        """Carry out what is owed and due, for what was seen and for what was told."""
        await self.parts.seen_workers.run_due()
        await self.parts.workers.run_due()
        await self.tell()

    async def tell(self) -> None:
        """Give the notices that are due."""
        for workers in self.parts.notice_workers:
            await workers.run_due()

    @property
    def reconciler(self) -> Reconciler:
        return self.parts.reconciler

    @property
    def drift(self) -> DriftWatch:
        return self.parts.drift

    @property
    def scanner(self) -> Scanner:
        return self.parts.scanner

    async def deliver(self, *args: Any, **named: Any) -> Answer:
        """Post a delivery, then carry out what follows."""
        answer = await self.receiver.post(body(*args, **named))
        await self.parts.told_reader.read()
        await self.carry_out()
        return answer

    def approval(self, record_id: str = MAILBOX_ID) -> Approval | None:
        return self.database.read_now(lambda c: approvals.find(c, record_id))

    def decisions(self, **filters: Any) -> list[dict[str, Any]]:
        return self.database.read_now(lambda c: list_decisions(c, DecisionFilter(**filters)))

    def is_whole(self) -> bool:
        return self.database.read_now(verify).is_whole


def a_guard(
    database: Database, clock: FrozenClock, *, common: Rows | None = None, **named: Any
) -> AGuard:
    """Return a guard; what deliveries owe reads `common`, if given."""
    receiver = a_receiver(clock, ledger=StoredLedger(database, clock), **named)
    parts = assemble_guard(
        receiver.parts,
        Sources(receiver.rows, receiver.directory, receiver.notifier, receiver.team, receiver.mail),
        database,
        receiver.policies,
        clock,
        receiver.metrics,
        receiver.values,
        common=None
        if common is None
        else Sources(common, receiver.directory, receiver.notifier, receiver.team, receiver.mail),
    )
    return AGuard(receiver, database, parts)
