"""What an obligation is: when it is owed, what it must remember, and how it is carried out.

- An *obligation* is a durable task that a decision on a committed change owes. It is added in the
  transaction of the decision and carried out afterwards, again after a crash.
- Its *kind* is its word in lists, metrics and docs/tasks.md.
- Its *payload* is all that it remembers of the change. A payload names the row and what was
  decided; it proves nothing, so whoever carries it out reads the row again (law 16).
- *Owed* is what a decision has once for each kind: the decision's id is the key of the task.

A new obligation is one file with a payload and a class, one test and one line in `table`
(docs/adding-an-obligation.md).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Generic, Self, TypeVar

from guard.case import lane_of
from guard.consequences import Committed, Refusal
from guard.facts.users import Users
from guard.identity import OwnIdentity
from guard.judge import Judge
from guard.ledger.port import Ledger
from guard.notices.text import Places
from guard.ports.directory import Directory
from guard.ports.metrics import GuardMetrics
from guard.ports.notifier import Notifier
from guard.ports.rows import Rows
from guard.read_back import ReadBack
from guard.record import DecisionRecorder
from kernel.database import Database
from kernel.tasks import Task
from kernel.workers import TaskOutcome


@dataclass(frozen=True, slots=True)
class Payload:
    """What an obligation remembers: plain fields; one that holds others converts them itself."""

    table: str
    record_id: str

    def to_json(self) -> dict[str, Any]:
        """Return the payload as the task keeps it."""
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Return the payload that a task keeps. Raises TypeError when it is of another shape."""
        return cls(**stored)


@dataclass(frozen=True, slots=True)
class Means:
    """What obligations are carried out with; `places` are those that notices lead to."""

    database: Database
    rows: Rows
    directory: Directory
    ledger: Ledger
    judge: Judge
    recorder: DecisionRecorder
    read_back: ReadBack
    identity: OwnIdentity
    metrics: GuardMetrics
    notifier: Notifier
    team: Notifier
    mail: Notifier
    places: Places

    @property
    def users(self) -> Users:
        """Return the users of Dataverse, each only while its identity is known good."""
        return Users(self.rows, self.ledger.mirrored)


Remembered = TypeVar("Remembered", bound=Payload)


class Obligation(ABC, Generic[Remembered]):
    """One kind of obligation; `doc` is its sentence in docs/tasks.md.

    One that `only_tells` mends nothing: while it waits nothing counts as taken care of.
    """

    kind: ClassVar[str]
    doc: ClassVar[str]
    payload: ClassVar[type[Payload]]
    only_tells: ClassVar[bool] = False

    def __init__(self, means: Means) -> None:
        self._means = means

    @classmethod
    @abstractmethod
    def owed_by(cls, committed: Committed) -> Remembered | None:
        """Return what has to be remembered if the decision owes this, else None. Pure.

        Asked in enforcement alone, and never of a change that may still be rolled back.
        """

    @classmethod
    def owed_by_refusal(cls, refusal: Refusal) -> Remembered | None:
        """Return what has to be remembered if a refusal before the commit owes this. Pure.

        Only what is true and harmless however the transaction ends may be; by default nothing is.
        """
        return None

    @classmethod
    def lane(cls, source: str) -> str:
        """Return the lane in which it waits, by the way on which the decision came."""
        return lane_of(source)

    @abstractmethod
    async def carry_out(self, owed: Remembered, task: Task) -> TaskOutcome:
        """Do it, and return how that ended. Done twice, the second time must find it done.

        What raises a GuardError is tried again later.
        """

    async def handle(self, task: Task) -> TaskOutcome:
        """Carry out a task of this kind."""
        owed: Any = self.payload.from_json(task.payload)
        return await self.carry_out(owed, task)
