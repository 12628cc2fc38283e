"""A guard in whose organisation Anna asks for what a rule holds, and others may release it."""

from __future__ import annotations

from typing import Any

from guard.holds import approve, list_holds
from guard.ledger.parked import HoldState
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.principal import AppRole, Principal, Proof
from tests.guard.assembled import AGuard, Answer, a_guard
from tests.guard.builders import (
    ADMIN_ID,
    ADMIN_OBJECT_ID,
    CEO_OBJECT_ID,
    MAILBOX_ID,
    OBJECT_ID,
    USER_ID,
    choice,
)

VIP = """
apiVersion: guard/v1
kind: Policy
name: vip
title: An address needs a second person
mode: enforce
match: {entity: [mailbox, systemuser, queue], operations: [create, update]}
rules:
  - id: address
    effect: hold
    when: [{field: address, changed: true}]
    require: [{field: address, notEquals: vip@contoso.com}]
    message: "{address} needs a second person."
  - id: approval
    effect: hold
    when: [{field: approval, becomes: approved}]
    require: [{field: approval, notEquals: approved}]
    message: "An approval needs a second person."
"""
FORBIDDEN = """
apiVersion: guard/v1
kind: Policy
name: forbidden
title: Nothing of this changes
mode: enforce
match: {entity: mailbox, operations: [update]}
rules:
  - id: never
    require: [{field: incomingemaildeliverymethod, notEquals: none}]
    message: "Not while nothing is delivered."
"""
DOCUMENTS = {"policies/vip.yaml": VIP, "policies/forbidden.yaml": FORBIDDEN}
NAMED = VIP.replace(
    "effect: hold\n    when: [{field: address, changed: true}]",
    "effect: hold\n    release: {RELEASE}\n    when: [{field: address, changed: true}]",
)
VIP_ADDRESS = {"emailaddress": "vip@contoso.com"}
APPROVAL = {"emailrouteraccessapproval": choice(1)}
APPROVER = frozenset({AppRole.APPROVER})
CEO = Principal("Chief", Proof.ENTRA, APPROVER, CEO_OBJECT_ID)
ANNA = Principal("Anna", Proof.ENTRA, APPROVER, OBJECT_ID)
ADMIN = Principal("Admin", Proof.ENTRA, APPROVER, ADMIN_OBJECT_ID)
READ = {
    "emailaddress": "anna@contoso.com",
    "emailrouteraccessapproval": 2,
    "incomingemaildeliverymethod": 2,
    "outgoingemaildeliverymethod": 2,
    "actdeliverymethod": 1,
    "isforwardmailbox": False,
    "testemailconfigurationscheduled": False,
}


def guarded(database: Database, clock: FrozenClock, **named: Any) -> AGuard:
    guard = a_guard(database, clock, documents={**DOCUMENTS, **named.pop("also", {})}, **named)
    guard.receiver.rows.put("mailbox", MAILBOX_ID, **READ)
    return guard


def holds_of(guard: AGuard, *states: HoldState) -> list[dict[str, Any]]:
    now = guard.receiver.clock.now()
    return guard.database.read_now(
        lambda c: list_holds(c, now=now, states=states or tuple(HoldState))
    )


async def ask(guard: AGuard, sent: dict[str, Any], **named: Any) -> Answer:
    """Anna sends an edit, and it is held before it is committed."""
    answer = await guard.deliver(sent, actor=named.pop("actor", USER_ID), **named)
    assert answer.status == 403, answer.body
    return answer


async def release(guard: AGuard, hold_id: str, by: Principal = CEO) -> dict[str, Any]:
    shown = await approve(guard.parts.means, hold_id, by, reason="It is right.")
    await guard.carry_out()
    return shown


__all__ = ["ADMIN_ID"]
