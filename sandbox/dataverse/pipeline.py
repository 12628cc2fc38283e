"""The event pipeline: stages around the write of a row, all in one transaction.

    stage 10   before the transaction (inside it for nested operations)
    stage 20   inside, before the write
    main       the platform's own behaviour and the write; nested operations go through all this too
    stage 40   inside, after the write; asynchronous steps are queued and start after the commit

A synchronous step that fails ends the whole request: nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol
from uuid import uuid4

from sandbox.dataverse.apart import as_apart, messages_apart
from sandbox.dataverse.context import (
    SIZE_LIMIT,
    ZERO,
    Event,
    Organization,
    as_context,
    image,
    strip,
    to_bytes,
)
from sandbox.dataverse.faults import WEBHOOK_TOO_LARGE, Fault, not_found
from sandbox.dataverse.jobs import Jobs, job_values
from sandbox.dataverse.locks import Locks
from sandbox.dataverse.operation import Operation
from sandbox.dataverse.posts import Poster
from sandbox.dataverse.privileges import demand
from sandbox.dataverse.rows import Ref, Row, Store, View
from sandbox.dataverse.steps import Step, addressed, steps_on
from sandbox.dataverse.tables import TABLES

_SYNCHRONOUS, _ASYNCHRONOUS = 0, 1
Precondition = Callable[[Row | None], None]


class Platform(Protocol):
    """What the platform does by itself around a write."""

    def lock_key(self, view: View, table: str, record_id: str) -> Hashable:
        """Return what must be held to write the row."""
        ...

    async def before_write(self, operation: Operation, pipeline: Pipeline) -> None:
        """Refuse, complete or redirect what is about to be written."""
        ...

    async def after_write(self, operation: Operation, pipeline: Pipeline) -> None:
        """Do what follows from the write, in the same transaction."""
        ...


class Pipeline:
    """Carries out operations."""

    def __init__(
        self,
        store: Store,
        platform: Platform,
        poster: Poster,
        jobs: Jobs,
        organization: Organization,
        *,
        locks: Locks,
    ) -> None:
        self.store, self.platform, self.poster, self.jobs = store, platform, poster, jobs
        self.organization, self._locks = organization, locks
        self.offset_minutes = 120
        # Whether a change of owner or state is told as Assign or SetState as well.
        self.tells_apart = False

    async def run(self, operation: Operation, *, precondition: Precondition | None = None) -> None:
        """Carry out a request's operation and commit it. Raises Fault when nothing was kept."""
        held: set[Hashable] = set()
        key = self.platform.lock_key(self.store, operation.table, operation.record_id)
        try:
            await self._locks.take(key, held=held)
            if precondition is not None:
                precondition(self.store.get(operation.table, operation.record_id))
            await self.execute(operation)
            operation.transaction.commit()
        finally:
            self._locks.release(held)

    async def execute(self, operation: Operation) -> None:
        """Take one operation through its stages, inside the transaction it belongs to."""
        transaction = operation.transaction
        operation.before = transaction.get(operation.table, operation.record_id)
        if operation.message != "Create" and operation.before is None:
            raise not_found(operation.table, operation.record_id)
        self._demand(operation)
        await self._fire(operation, 10)
        self._stamp(operation)
        await self._fire(operation, 20)
        await self.platform.before_write(operation, self)
        self._write(operation)
        await self.platform.after_write(operation, self)
        await self._fire(operation, 40)
        self._queue(operation)

    def _demand(self, operation: Operation) -> None:
        if operation.by_platform:
            return
        verb = {"Create": "Create", "Update": "Write", "Delete": "Delete"}[operation.message]
        caller, view = operation.caller, operation.transaction
        # The rights of an impersonation are those that both users have.
        for user_id in {caller.user_id, caller.acting_user_id}:
            demand(view, user_id, verb, operation.table, row=operation.before)

    def _stamp(self, operation: Operation) -> None:
        """Add the columns that the platform sets on every write."""
        if operation.message == "Delete":
            return
        stamps = stamp(operation)
        columns = TABLES[operation.table].columns
        operation.target |= {name: value for name, value in stamps.items() if name in columns}

    def _write(self, operation: Operation) -> None:
        table, transaction = TABLES[operation.table], operation.transaction
        if operation.message == "Delete":
            transaction.delete(operation.table, operation.record_id)
            return
        row = dict(operation.before or {n: c.default for n, c in table.columns.items()})
        row.update(operation.target)
        if row.get("ownerid") != (operation.before or {}).get("ownerid"):
            row.update(owning_unit(transaction, operation.table, row))
        operation.after = transaction.put(operation.table, row)

    async def _fire(self, operation: Operation, stage: int) -> None:
        for step in self._steps(operation, stage, mode=_SYNCHRONOUS):
            event = self._event(operation, step)
            await self._send(step, as_context(event, self.organization, operation.transaction))

    def _queue(self, operation: Operation) -> None:
        for step in self._steps(operation, 40, mode=_ASYNCHRONOUS):
            job_id = str(uuid4())
            event = self._event(operation, step, job_id=job_id)
            context = as_context(event, self.organization, operation.transaction)
            operation.transaction.after_commit(self._starter(operation, step, job_id, context))

    def _starter(
        self, operation: Operation, step: Step, job_id: str, context: dict[str, Any]
    ) -> Callable[[], None]:
        values = job_values(
            step.id,
            name=step.name,
            message=operation.message,
            table=operation.table,
            record_id=operation.record_id,
            correlation_id=operation.correlation_id,
            depth=operation.depth,
        )

        def start() -> None:
            self.jobs.add(
                job_id,
                lambda: self._send(step, context),
                values=values,
                forgets_success=step.forgets_success,
            )

        return start

    def _steps(self, operation: Operation, stage: int, *, mode: int) -> list[Step]:
        if operation.silent:
            return []
        apart = messages_apart(operation) if self.tells_apart else []
        return [
            step
            for message in (operation.message, *apart)
            for step in steps_on(self.store, message, operation.table)
            if step.stage == stage
            and step.mode == mode
            and step.wants(operation.target)
            and not operation.bypass.skips(step.id, mode=mode)
        ]

    async def _send(self, step: Step, context: Mapping[str, Any]) -> None:
        url, proof = addressed(step.endpoint)
        body = to_bytes(context)
        headers = {
            "content-type": "application/json",
            "x-ms-dynamics-organization": self.organization.domain_name,
            "x-ms-dynamics-entity-name": str(context["PrimaryEntityName"]),
            "x-ms-dynamics-request-name": str(context["MessageName"]),
            "x-ms-correlation-request-id": str(context["CorrelationId"]),
            **proof,
        }
        if len(body) > SIZE_LIMIT:
            headers["x-ms-dynamics-msg-size-exceeded"] = "true"
            body = to_bytes(strip(context))
        if len(body) > SIZE_LIMIT:
            raise Fault(
                400,
                WEBHOOK_TOO_LARGE,
                "The webhook call failed because the http request payload is too large.",
            )
        about = {
            "step": step.name,
            "table": str(context["PrimaryEntityName"]),
            "message": str(context["MessageName"]),
            "stage": step.stage,
            "mode": step.mode,
            "record_id": str(context["PrimaryEntityId"]),
        }
        await self.poster.send(url, headers, body, about=about)

    def _event(self, operation: Operation, step: Step, *, job_id: str | None = None) -> Event:
        event = self._moment(operation, step.stage, mode=step.mode, target=operation.target)
        before, after = self._images(operation, step)
        user_id = step.runs_as or event.user_id
        changes: dict[str, Any] = {
            "user_id": user_id,
            "pre_images": before,
            "post_images": after,
            "step": (step.id, step.name),
            "parent": self._parent(operation),
            "operation_id": job_id or event.operation_id,
            "offset_minutes": self.offset_minutes,
            "in_transaction": step.mode == _SYNCHRONOUS
            and (step.stage != 10 or operation.parent is not None),
        }
        if step.message != operation.message:
            changes |= as_apart(step.message, operation)
        if operation.message == "Create" and step.stage == 40:
            changes["output"] = {"id": operation.record_id}
        if operation.message == "Create" and step.stage == 10:
            changes["record_id"] = ZERO
        return replaced(event, changes)

    def _parent(self, operation: Operation) -> Event:
        """Return the main operation: of the same request, or the one this is nested in."""
        source = operation.parent or operation
        moment = self._moment(source, 30, mode=_SYNCHRONOUS, target=source.sent)
        parameters: dict[str, Any] = (
            {} if source.message == "Delete" else {"SuppressDuplicateDetection": False}
        )
        return replaced(moment, {"parameters": parameters})

    def _moment(
        self, operation: Operation, stage: int, *, mode: int, target: Mapping[str, Any]
    ) -> Event:
        caller = operation.caller
        return Event(
            message=operation.message,
            table=operation.table,
            record_id=operation.record_id,
            target=operation.as_ref() if operation.message == "Delete" else dict(target),
            stage=stage,
            mode=mode,
            depth=operation.depth,
            user_id=caller.user_id,
            user_object_id=caller.object_id,
            initiating_user_id=caller.user_id,
            initiating_object_id=caller.object_id,
            user_agent=caller.user_agent,
            correlation_id=operation.correlation_id,
            operation_id=operation.operation_id,
            request_id=operation.request_id,
            started_at=operation.started_at,
            in_transaction=True,
            shared={"IsAutoTransact": True, **operation.shared},
        )

    def _images(self, operation: Operation, step: Step) -> tuple[dict[str, Any], dict[str, Any]]:
        table, view = TABLES[operation.table], operation.transaction
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for wanted in step.images:
            if wanted.before and operation.before is not None:
                row = operation.before
                before[wanted.alias] = image(table, row, list(wanted.columns), view)
            if wanted.after and operation.after is not None and step.stage == 40:
                after[wanted.alias] = image(table, operation.after, list(wanted.columns), view)
        if step.mode == _ASYNCHRONOUS and operation.after is not None:
            # Nobody registers this one; the platform adds it to every asynchronous step.
            names = [table.name_column]
            after["AsynchronousStepPrimaryName"] = image(table, operation.after, names, view)
        return before, after


def replaced(event: Event, changes: Mapping[str, Any]) -> Event:
    """Return the event with some members changed."""
    members = {name: getattr(event, name) for name in Event.__slots__}
    return Event(**{**members, **changes})


def owning_unit(view: View, table: str, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the business unit that a row is in by its owner, in the table's column for it."""
    owner = row.get("ownerid")
    if owner is None or "owningbusinessunit" not in TABLES[table].columns:
        return {}
    held = view.get(owner.table, owner.id)
    return {"owningbusinessunit": held.get("businessunitid") if held else None}


def stamp(operation: Operation) -> dict[str, Any]:
    """Return the columns that say when and by whom a row is written."""
    caller = operation.caller
    actor = Ref("systemuser", caller.user_id)
    impersonated = caller.acting_user_id != caller.user_id
    behalf = Ref("systemuser", caller.acting_user_id) if impersonated else None
    moment = operation.started_at.replace(microsecond=0)
    stamps: dict[str, Any] = {
        TABLES[operation.table].key: operation.record_id,
        "modifiedon": moment,
        "modifiedby": actor,
        "modifiedonbehalfby": behalf,
    }
    if operation.message == "Create":
        created = operation.target.get("overriddencreatedon") or moment
        stamps |= {"createdon": created, "createdby": actor, "createdonbehalfby": behalf}
        if operation.target.get("ownerid") is None:
            stamps["ownerid"] = actor
    return stamps
