"""An operation on a row: what is asked, by whom, and as part of what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import uuid4

from sandbox.dataverse.rows import Ref, Row, Transaction


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the user, and the one that impersonates them (else the same)."""

    user_id: str
    object_id: str
    acting_user_id: str
    user_agent: str = ""


@dataclass(frozen=True, slots=True)
class Bypass:
    """Which custom logic the request asks to skip."""

    synchronous: bool = False
    asynchronous: bool = False
    steps: frozenset[str] = frozenset()

    def skips(self, step_id: str, *, mode: int) -> bool:
        """Tell whether a step is skipped."""
        kind = self.asynchronous if mode == 1 else self.synchronous
        return kind or step_id in self.steps


@dataclass(slots=True)
class Operation:
    """One message on one row; `target` grows by what the platform adds.

    `silent` raises no event; `copied` only repeats what another row already holds.
    """

    message: str
    table: str
    record_id: str
    target: dict[str, Any]
    caller: Caller
    transaction: Transaction
    started_at: datetime
    beneath: Mapping[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    depth: int = 1
    parent: Operation | None = None
    correlation_id: str = field(default_factory=lambda: str(uuid4()))
    request_id: str = field(default_factory=lambda: str(uuid4()))
    operation_id: str = field(default_factory=lambda: str(uuid4()))
    shared: dict[str, Any] = field(default_factory=dict)
    bypass: Bypass = field(default_factory=Bypass)
    by_platform: bool = False
    silent: bool = False
    copied: bool = False
    before: Row | None = None
    after: Row | None = None
    sent: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.sent = dict(self.target)

    def beneath_it(
        self, message: str, table: str, record_id: str, target: dict[str, Any]
    ) -> Operation:
        """Return a nested operation: same request, same transaction, one deeper."""
        return Operation(
            message=message,
            table=table,
            record_id=record_id,
            target=target,
            caller=self.caller,
            transaction=self.transaction,
            started_at=self.started_at,
            depth=self.depth + 1,
            parent=self,
            correlation_id=self.correlation_id,
            request_id=self.request_id,
            operation_id=self.operation_id,
            shared=self.shared,
            bypass=self.bypass,
            by_platform=True,
        )

    def root(self) -> Operation:
        """Return the operation that the request itself asked for."""
        return self.parent.root() if self.parent is not None else self

    def present(self, name: str) -> Any:
        """Return the value a column will have: the target's, else the present one."""
        if name in self.target:
            return self.target[name]
        return self.before.get(name) if self.before else None

    def as_ref(self) -> Ref:
        """Return a reference to the row."""
        return Ref(self.table, self.record_id)
