"""Intents as tasks: the kinds that the sync adds, what they carry, and how they are added."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from kernel import tasks
from kernel.errors import ApprovalRests
from kernel.shards import shard_of
from kernel.tables import microseconds
from kernel.tasks import TaskCause, TaskPlace, TaskSubject
from kernel.workers import Again
from sync.errors import NotOurs
from sync.model.plan import Intent, IntentKind
from sync.model.stream import Stream, new_stream


def task_kind(workload: str, kind: IntentKind) -> str:
    """Return the kind of the task that carries out such an intent of a workload."""
    return f"sync.{workload}.{kind}"


@dataclass(frozen=True, slots=True)
class Target:
    """Which item of which mailbox an intent is about, and under which approval it was planned."""

    record_id: str
    object_id: str
    workload: str
    stream_id: str
    folder: str
    item_id: str
    epoch: int

    @property
    def stream(self) -> Stream:
        """The stream of the item, as far as its name tells."""
        return new_stream(
            self.record_id, self.object_id, workload=self.workload, folder=self.folder
        )

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Target:
        """Return the target that a task carries."""
        return cls(**{name: payload[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True, slots=True)
class Lack:
    """What a written item lacks: parts that may be had later, and whether others never can.

    `tries` is how often they were asked for since.
    """

    parts: tuple[str, ...]
    is_for_good: bool = False
    tries: int = 0

    def to_payload(self) -> dict[str, Any]:
        """Return the part of a task's payload that says so."""
        return {
            "parts": list(self.parts),
            "lacks_for_good": self.is_for_good,
            "tries": self.tries,
        }

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> Lack:
        """Return what a task supplements."""
        return cls(tuple(payload["parts"]), bool(payload["lacks_for_good"]), payload["tries"])


def add_intent(
    connection: Connection,
    stream: Stream,
    intent: Intent,
    *,
    epoch: int,
    now: datetime,
    not_before: datetime | None = None,
    lack: Lack | None = None,
    released_at: datetime | None = None,
) -> bool:
    """Add the task of an intent and return whether it is new.

    `lack` is what it supplements; `released_at` when a person let go what a brake had stopped.

    An item is written once under each approval: the epoch stands in the key, so that a new approval
    takes up what waited when the old one was withdrawn. One that still waits is tried at once when
    its item has another version. Every removal is verified anew.
    """
    subject = TaskSubject(subject_of(stream.object_id, intent.item_id), epoch)
    kind, key = task_kind(stream.workload, intent.kind), f"{subject.name}/{epoch}"
    if intent.kind is IntentKind.VERIFY:
        key = f"{key}/{microseconds(now)}"
    payload = {
        "record_id": stream.record_id,
        "object_id": stream.object_id,
        "workload": stream.workload,
        "stream_id": stream.stream_id,
        "folder": stream.folder,
        "item_id": intent.item_id,
        "epoch": epoch,
        "version": intent.version,
    }
    if lack is not None:
        payload |= lack.to_payload()
    due_at = not_before or now
    if tasks.add(
        connection,
        kind=kind,
        key=key,
        payload=payload,
        owner=stream.record_id,
        subject=subject,
        place=TaskPlace(shard_of(stream.record_id)),
        now=now,
        not_before=due_at,
    ):
        if released_at is not None:
            tasks.let_pass(connection, kind=kind, key=key, now=released_at)
        return True
    known = tasks.find(connection, kind=kind, key=key)
    if known is None or known.payload.get("version") != intent.version:
        tasks.renew(connection, kind=kind, key=key, payload=payload, not_before=due_at)
    return False


def subject_of(object_id: str, item_id: str) -> str:
    """Return the subject of the tasks about one item of one Exchange mailbox."""
    return f"{object_id}/{item_id}"


def resting(error: NotOurs | ApprovalRests) -> Again:
    """Return how a task waits whose mailbox rests, or is another engine's, for now."""
    return Again(error.message, cause=TaskCause.RESTING, error_code=error.code)
