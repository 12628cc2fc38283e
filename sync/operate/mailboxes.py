"""What people see of mailboxes, and what they may tell them: pause, resume, withdraw."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from kernel import acts, approvals, stops, tasks
from kernel.acts import ActKind
from kernel.approvals import PERMIT_SECONDS, Approval
from kernel.clock import Clock
from kernel.database import Database
from kernel.principal import Principal
from kernel.tasks import TaskState
from sync.engine.intent import add_intent
from sync.errors import MailboxAmbiguous, MailboxUnknown
from sync.failpoints import COMMAND
from sync.model.plan import Intent, IntentKind
from sync.model.stream import Stream, brake_reason
from sync.operate import backlog
from sync.operate.backlog import BacklogState
from sync.registry import CREATE_KINDS, KINDS, NOUNS
from sync.store import access, links, mailboxes, payloads, quarantine, streams
from sync.store.mailboxes import MailboxState
from sync.store.tables import SyncState

_MOST_NAMED = 3


def list_mailboxes(connection: Connection, *, now: datetime) -> list[dict[str, Any]]:
    """Return every mailbox that was ever approved, by record id: the shape of docs/contract.md."""
    states = mailboxes.list_all(connection)
    chains: dict[tuple[str, str], list[Stream]] = defaultdict(list)
    for one in streams.list_all(connection):
        chains[one.record_id, one.object_id].append(one)
    found = backlog.list_all(connection, now=now)
    resting = {
        one.record_id: stops.told(one.brake, one.reason) for one in stops.list_all(connection)
    }
    return [
        _shown(
            held,
            states.get(held.record_id),
            chains.get((held.record_id, held.object_id), []),
            found.get(held.record_id),
            resting.get(held.record_id),
            now=now,
        )
        for held in approvals.list_all(connection)
    ]


def page_of_mailboxes(
    connection: Connection, *, after: str | None, limit: int, now: datetime
) -> list[dict[str, Any]]:
    """Return so many mailboxes behind a record id, each as `list_mailboxes` does.

    Whatever the fleet, what is read is of these alone.
    """
    return [
        _looked_up(connection, held, now=now)
        for held in approvals.list_page(connection, after=after, limit=limit)
    ]


def some_mailboxes(
    connection: Connection, record_ids: Sequence[str], *, now: datetime
) -> list[dict[str, Any]]:
    """Return these mailboxes in this order, each as `list_mailboxes` does, without unknown ones."""
    held = (approvals.find(connection, one) for one in record_ids)
    return [_looked_up(connection, one, now=now) for one in held if one is not None]


def show_mailbox(connection: Connection, record_id: str, *, now: datetime) -> dict[str, Any]:
    """Return one mailbox with its tasks, quarantine and newest accesses.

    It is named by its id, the beginning of it, or its address. Raises MailboxUnknown,
    MailboxAmbiguous.
    """
    approval = _known(connection, record_id)
    mine = [one for one in tasks.list_for(connection, approval.record_id) if one.kind in KINDS]
    open_tasks = [one for one in mine if one.state in (*tasks.OPEN_STATES, TaskState.NEEDS_PERSON)]
    return {
        **_looked_up(connection, approval, now=now),
        "evidence": approval.evidence,
        "changed_at": _text(approval.changed_at),
        "looked_up_at": _text(approval.looked_up_at),
        "until": _text(approval.until),
        "tasks": [
            {
                "kind": one.kind,
                "state": one.state,
                "attempts": one.attempts,
                "not_before": _text(one.not_before),
                "cause": one.cause,
                "reason": one.result,
                "hint": one.hint,
                "trying_since": _text(one.trying_since),
            }
            for one in open_tasks
        ],
        "quarantine": [
            {"item_id": one.item_id, "reason": one.reason, "first_at": _text(one.first_at)}
            for one in quarantine.list_for(connection, [approval.record_id])
        ],
        "access": [
            {
                "at": _text(one.at),
                "operation": one.operation,
                "items": one.item_count,
                "epoch": one.epoch,
            }
            for one in access.list_for(connection, approval.record_id, limit=20)
        ],
    }


def list_access(
    connection: Connection, record_id: str, *, before: int | None = None, limit: int = 100
) -> list[dict[str, Any]]:
    """Return the accesses to a mailbox, newest first; `before` is the number where a page ended.

    Raises MailboxUnknown, MailboxAmbiguous.
    """
    approval = _known(connection, record_id)
    return [
        {
            "id": one.id,
            "at": _text(one.at),
            "operation": one.operation,
            "workload": one.workload,
            "items": one.item_count,
            "epoch": one.epoch,
            "reason": one.reason,
        }
        for one in access.list_for(connection, approval.record_id, before=before, limit=limit)
    ]


async def pause(
    database: Database, clock: Clock, record_id: str, *, by: Principal, reason: str
) -> None:
    """Let a mailbox rest on the word of a person; returns when no further access can begin."""
    now = clock.now()

    def write(connection: Connection) -> None:
        approval = _known(connection, record_id)
        acts.append_word(connection, ActKind.PAUSE, approval.record_id, by, reason=reason, now=now)
        mailboxes.pause(connection, approval.record_id, reason=reason, now=now)

    await database.write(write, failpoint=COMMAND)
    await clock.sleep(PERMIT_SECONDS)


async def resume(database: Database, clock: Clock, record_id: str, *, by: Principal) -> bool:
    """End a pause and any brake on a person's word; try again what is set aside or has stopped.

    The next visit comes by itself, if the mailbox is approved; returns whether it is.
    """
    now = clock.now()

    def write(connection: Connection) -> bool:
        approval = _known(connection, record_id)
        acts.append_word(connection, ActKind.RESUMPTION, approval.record_id, by, now=now)
        mailboxes.resume(connection, approval.record_id, now=now)
        # What a full round did not list may be taken for deleted once each was looked at.
        for stream in streams.list_for(connection, approval.record_id, approval.object_id):
            for item_id in links.list_unseen(connection, stream) if stream.braked else ():
                add_intent(
                    connection,
                    stream,
                    Intent(IntentKind.VERIFY, item_id),
                    epoch=approval.epoch,
                    now=now,
                    released_at=now,
                )
        streams.release_brake(connection, approval.record_id)
        # What has no id of its own comes again only with its page.
        has_unnamed = quarantine.forget_unnamed(connection, approval.record_id)
        streams.begin_anew(connection, approval.record_id, failed_only=not has_unnamed)
        quarantine.retry(connection, [approval.record_id], kinds=CREATE_KINDS, now=now)
        tasks.release(
            connection, now=now, kinds=KINDS, owners=[approval.record_id], epoch=approval.epoch
        )
        return approval.is_approved(now)

    return await database.write(write, failpoint=COMMAND)


async def withdraw(
    database: Database, clock: Clock, record_id: str, *, by: str, reason: str
) -> bool:
    """Withdraw an approval on the word of a person; returns when no further access can begin.

    Returns whether there was an approval; the word stands either way. A permit given before the
    commit may still be used for a moment; that moment is waited out.
    """
    now = clock.now()

    def write(connection: Connection) -> bool:
        approval = _known(connection, record_id)
        was_approved = approvals.withdraw_by_person(
            connection, record_id=approval.record_id, by=by, reason=reason, now=now
        )
        if not was_approved:
            return False
        mailboxes.set_state(
            connection, approval.record_id, state=SyncState.WITHDRAWN, reason=reason, now=now
        )
        payloads.forget_mailbox(connection, approval.object_id)
        return True

    was_approved = await database.write(write, failpoint=COMMAND)
    await clock.sleep(PERMIT_SECONDS)
    return was_approved


def _known(connection: Connection, name: str) -> Approval:
    """Return what is held of the one mailbox that is meant: by address, or by the id's beginning.

    Raises MailboxUnknown, MailboxAmbiguous.
    """
    found = approvals.list_named(connection, name)
    if not found:
        raise MailboxUnknown(
            f"No mailbox that was ever approved has the id or the address {name}.",
            hint="`mailbox-guard mailboxes list` shows every mailbox that was.",
        )
    if len(found) > 1:
        ids = ", ".join(one.record_id for one in found[:_MOST_NAMED])
        raise MailboxAmbiguous(
            f"{len(found)} mailboxes are called {name}: {ids}.",
            hint="Give the id of the one meant.",
        )
    return found[0]


def _looked_up(connection: Connection, approval: Approval, *, now: datetime) -> dict[str, Any]:
    record_id = approval.record_id
    return _shown(
        approval,
        mailboxes.find(connection, record_id),
        streams.list_for(connection, record_id, approval.object_id),
        backlog.list_all(connection, record_id, now=now).get(record_id),
        stops.reason_to_rest(connection, record_id),
        now=now,
    )


def _shown(
    approval: Approval,
    state: MailboxState | None,
    chains: Sequence[Stream],
    waiting: BacklogState | None,
    resting: str | None,
    *,
    now: datetime,
) -> dict[str, Any]:
    is_approved = approval.is_approved(now)
    word, reason = _state(approval, state, chains, waiting, now=now)
    if resting is not None and word not in (SyncState.WITHDRAWN, SyncState.PAUSED, SyncState.BRAKE):
        word, reason = SyncState.RESTING, resting
    return {
        "id": approval.record_id,
        "address": approval.address,
        "object_id": approval.object_id,
        "owner": approval.owner_id,
        "owner_type": approval.owner_type,
        "approved": is_approved,
        "epoch": approval.epoch,
        "state": word,
        "reason": reason,
        "withdrawn_by": approval.withdrawn_by,
        "fresh_as_of": _text(_fresh_as_of(chains)),
        "next_at": _text(state.next_at if state is not None and is_approved else None),
    }


def _state(
    approval: Approval,
    state: MailboxState | None,
    chains: Sequence[Stream],
    waiting: BacklogState | None,
    *,
    now: datetime,
) -> tuple[SyncState, str]:
    """Return the state in one word and its reason; the approval always has the last word."""
    if not approval.is_recorded:
        return SyncState.WITHDRAWN, approvals.NOT_RECORDED
    if approval.state != approvals.APPROVED:
        return SyncState.WITHDRAWN, approval.reason
    if not approval.is_approved(now):
        return SyncState.WITHDRAWN, "The approval has ended."
    if state is None or state.state == SyncState.WITHDRAWN:
        return SyncState.WAITING, ""
    if state.is_paused:
        return SyncState.PAUSED, state.reason
    for one in chains:
        if one.braked is not None and state.state != SyncState.BRAKE:
            # A workload that is gone from the registry may have left a stream behind.
            noun = NOUNS.get(one.workload, "item")
            return SyncState.BRAKE, brake_reason(one.braked, noun=noun)
    if state.state == SyncState.SYNCED and waiting is not None:
        return waiting.state, waiting.reason
    return state.state, state.reason


def _fresh_as_of(chains: Sequence[Stream]) -> datetime | None:
    """Return as of when all of a mailbox is known: as of its stalest stream."""
    known = [one.fresh_as_of for one in chains]
    return min((at for at in known if at is not None), default=None) if all(known) else None


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
