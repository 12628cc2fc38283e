"""What happens to mailboxes in the crash tests, and what it has to end in, crash or no crash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sandbox import people
from tests.crashes.acts import (
    Scenario,
    asks,
    checkpoint,
    edit,
    half_an_hour,
    obligations,
    past_every_step,
    reconciliation,
    releases,
    scan_applied,
    vanish,
    watch_on_evidence,
    without_synchronous_steps,
)
from tests.crashes.end_state import EndState
from tests.crashes.guarded_organization import GuardedOrganization

BOB, ANNA, CEO, CFO = people.BOB, people.ANNA, people.CEO, people.CFO
APPROVED, PENDING, REJECTED = 1, 2, 3
INACTIVE = 1
OLD_ADDRESS = "bob.old@contoso.com"
# What lost deliveries leave behind is found by the reconciliation, then carried out, then seen.
CATCHING_UP = (reconciliation, obligations, reconciliation, checkpoint)


@dataclass(frozen=True, slots=True)
class Promised:
    """A scenario and what is promised of its end.

    `promise_when_lost` is for the one case in which the end may differ: the process died before it
    had written down what an asynchronous delivery said, so the reconciliation finds the change, and
    nobody knows any more who made it. Rules that read the actor then err: law 1.
    """

    scenario: Scenario
    promise: Callable[[EndState], bool]
    promise_when_lost: Callable[[EndState], bool] = lambda state: False


async def bob_has_an_old_address(guarded: GuardedOrganization) -> bool:
    insert = guarded.sandbox.dataverse.insert
    for table, record_id, column in (
        ("mailbox", BOB.mailbox_id, "emailaddress"),
        ("systemuser", BOB.user_id, "internalemailaddress"),
    ):
        row = guarded.sandbox.row(table, record_id)
        assert row is not None
        insert(table, {**row, column: OLD_ADDRESS})
    return True


async def cfo_waits_for_approval(guarded: GuardedOrganization) -> bool:
    insert = guarded.sandbox.dataverse.insert
    for table, record_id in (("mailbox", CFO.mailbox_id), ("systemuser", CFO.user_id)):
        row = guarded.sandbox.row(table, record_id)
        assert row is not None
        insert(table, {**row, "emailrouteraccessapproval": PENDING})
    return True


async def cfo_has_an_old_address(guarded: GuardedOrganization) -> bool:
    insert = guarded.sandbox.dataverse.insert
    for table, record_id, column in (
        ("mailbox", CFO.mailbox_id, "emailaddress"),
        ("systemuser", CFO.user_id, "internalemailaddress"),
    ):
        row = guarded.sandbox.row(table, record_id)
        assert row is not None
        insert(table, {**row, column: "cfo.old@contoso.com"})
    return True


def shows(state: EndState, person: people.Sample, address: str, approval: int) -> bool:
    """Return whether Dataverse shows that on the mailbox and on its owner."""
    mailbox = state.rows["mailbox", person.mailbox_id]
    owner = state.rows["systemuser", person.user_id]
    return (
        mailbox["emailaddress"] == owner["internalemailaddress"] == address
        and mailbox["emailrouteraccessapproval"] == owner["emailrouteraccessapproval"] == approval
    )


def is_approved(state: EndState, person: people.Sample) -> bool:
    """Return whether the person's mailbox may be synced, as their own Exchange mailbox."""
    held = state.approvals.get(person.mailbox_id)
    return held is not None and held[0] == "approved" and held[3] == person.object_id


SCENARIOS = {
    "a legitimate edit, then a qualified approval": Promised(
        Scenario(
            lead_up=(bob_has_an_old_address, reconciliation),
            acts=(
                edit("desk", "mailboxes", BOB.mailbox_id, emailaddress=BOB.address),
                obligations,
                edit("approver", "mailboxes", BOB.mailbox_id, emailrouteraccessapproval=APPROVED),
                obligations,
                *CATCHING_UP,
            ),
        ),
        promise=lambda state: (
            is_approved(state, BOB)
            and shows(state, BOB, BOB.address, APPROVED)
            and state.own_writes == 0
        ),
    ),
    "an illegitimate edit past the synchronous steps": Promised(
        Scenario(
            lead_up=(without_synchronous_steps, reconciliation, scan_applied),
            acts=(
                edit("approver", "mailboxes", ANNA.mailbox_id, emailaddress=CEO.address),
                obligations,
                *CATCHING_UP,
            ),
        ),
        promise=lambda state: (
            not is_approved(state, ANNA)
            and shows(state, ANNA, ANNA.address, REJECTED)
            and state.own_writes == 1
        ),
    ),
    "an approval of a VIP past the synchronous steps": Promised(
        Scenario(
            lead_up=(without_synchronous_steps, cfo_waits_for_approval, reconciliation),
            acts=(
                edit("approver", "mailboxes", CFO.mailbox_id, emailrouteraccessapproval=APPROVED),
                obligations,
                *CATCHING_UP,
            ),
        ),
        promise=lambda state: (
            not is_approved(state, CFO)
            and shows(state, CFO, CFO.address, PENDING)
            and state.own_writes == 1
        ),
        promise_when_lost=lambda state: (
            not is_approved(state, CFO)
            and shows(state, CFO, CFO.address, REJECTED)
            and state.own_writes == 1
        ),
    ),
    "an address that is held, released and written": Promised(
        Scenario(
            lead_up=(cfo_has_an_old_address, reconciliation),
            acts=(
                asks("desk", "mailboxes", CFO.mailbox_id, emailaddress=CFO.address),
                releases(people.GLOBAL_ADMIN, CFO.mailbox_id),
                obligations,
                *CATCHING_UP,
            ),
        ),
        promise=lambda state: (
            not is_approved(state, CFO)
            and shows(state, CFO, CFO.address, PENDING)
            and state.own_writes == 1
        ),
    ),
    "an approval that is taken back before it was read": Promised(
        Scenario(
            lead_up=(reconciliation,),
            acts=(
                edit("approver", "mailboxes", BOB.mailbox_id, emailrouteraccessapproval=APPROVED),
                edit("approver", "mailboxes", BOB.mailbox_id, emailrouteraccessapproval=REJECTED),
                obligations,
                *CATCHING_UP,
            ),
            tells_refusals=False,
        ),
        promise=lambda state: (
            not is_approved(state, BOB)
            and shows(state, BOB, BOB.address, REJECTED)
            and state.own_writes == 0
        ),
    ),
    "an approval whose evidence drifts": Promised(
        Scenario(
            lead_up=(reconciliation,),
            acts=(
                edit("approver", "mailboxes", BOB.mailbox_id, emailrouteraccessapproval=APPROVED),
                obligations,
                reconciliation,
                obligations,
                half_an_hour,
                watch_on_evidence,
                past_every_step("systemuser", BOB.user_id, domainname=OLD_ADDRESS),
                watch_on_evidence,
                past_every_step("systemuser", BOB.user_id, domainname=BOB.address),
                *CATCHING_UP,
            ),
        ),
        promise=lambda state: (
            state.approvals[BOB.mailbox_id][:2] == ("withdrawn", 2)
            and shows(state, BOB, BOB.address, APPROVED)
            and state.own_writes == 0
        ),
    ),
    "the first watch, a bypass of every step, a row that vanishes": Promised(
        Scenario(
            acts=(
                reconciliation,
                scan_applied,
                past_every_step("mailbox", ANNA.mailbox_id, emailaddress=CEO.address),
                vanish("mailbox", CFO.mailbox_id),
                reconciliation,
                obligations,
                past_every_step("mailbox", BOB.mailbox_id, statecode=INACTIVE),
                *CATCHING_UP,
            ),
        ),
        promise=lambda state: (
            not is_approved(state, ANNA)
            and shows(state, ANNA, ANNA.address, REJECTED)
            and ("mailbox", CFO.mailbox_id) not in state.mirror
            and state.mirror["mailbox", BOB.mailbox_id]["statecode"] == INACTIVE
            and state.own_writes == 1
        ),
    ),
}
