"""Requests that write: their headers and bodies become operations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sandbox.dataverse.callers import bypass_of
from sandbox.dataverse.faults import (
    CONCURRENCY_MISMATCH,
    INVALID_ARGUMENT,
    RECORD_EXISTS,
    Fault,
    not_found,
)
from sandbox.dataverse.operation import Caller, Operation
from sandbox.dataverse.organization import Dataverse
from sandbox.dataverse.pipeline import Precondition
from sandbox.dataverse.privileges import demand
from sandbox.dataverse.rows import Ref, Row
from sandbox.dataverse.schema import Table
from sandbox.dataverse.values import etag, read_body, reference
from sandbox.routes import mark, route

CREATE = route("dataverse", "POST", "/{set}")
UPSERT = route("dataverse", "PATCH", "/{set}({id})")
DELETE = route("dataverse", "DELETE", "/{set}({id})")
CREATE_MANY = route("dataverse", "POST", "/{set}/Microsoft.Dynamics.CRM.CreateMultiple")
UPDATE_MANY = route("dataverse", "POST", "/{set}/Microsoft.Dynamics.CRM.UpdateMultiple")
ASSOCIATE = route("dataverse", "POST", "/{set}({id})/{navigation}/$ref")
DISASSOCIATE = route("dataverse", "DELETE", "/{set}({id})/{navigation}/$ref")

# These tables take one row at a time only.
_SINGLE = frozenset({"mailbox", "systemuser", "queue"})


class Sender:
    """One request's writes."""

    def __init__(self, dataverse: Dataverse, request: Request, caller: Caller, base: str) -> None:
        self._dataverse, self._request, self._caller = dataverse, request, caller
        self._base = base

    async def create(self, table: Table, body: Mapping[str, Any]) -> Operation:
        """Create a row by POST."""
        mark(self._request, CREATE)
        return await self._create(table, body)

    async def _create(
        self,
        table: Table,
        body: Mapping[str, Any],
        *,
        key: str | None = None,
        precondition: Precondition | None = None,
    ) -> Operation:
        read = read_body(table, body)
        values = {name: value for name, value in read.values.items() if name != table.key}
        record_id = key or read.values.get(table.key) or str(uuid4())

        def free(row: Row | None) -> None:
            if precondition is not None:
                precondition(row)
            if row is not None:
                raise Fault(412, RECORD_EXISTS, "A record with matching key values already exists.")

        return await self._run("Create", table, record_id, values, free, beneath=read.beneath)

    async def upsert(self, table: Table, key: str, body: Mapping[str, Any]) -> Operation:
        """Update a row by PATCH, or create it where the headers allow that."""
        mark(self._request, UPSERT)
        match = self._request.headers.get("if-match")
        none_match = self._request.headers.get("if-none-match")

        def check(row: Row | None) -> None:
            if row is None and match is not None:
                raise not_found(table.logical, key)
            if row is not None and none_match == "*":
                raise Fault(412, RECORD_EXISTS, "A record with matching key values already exists.")
            if row is not None and match not in (None, "*", etag(row)):
                raise Fault(
                    412,
                    CONCURRENCY_MISMATCH,
                    "The version of the existing record doesn't match the RowVersion property "
                    "provided.",
                )

        present = self._dataverse.store.get(table.logical, key)
        if present is None and match is None:
            return await self._create(table, body, key=key, precondition=check)
        check(present)
        read = read_body(table, body)
        values = {name: value for name, value in read.values.items() if name != table.key}
        if read.beneath:
            raise Fault(400, INVALID_ARGUMENT, "Related records cannot be changed by an update.")
        return await self._run("Update", table, key, values, check)

    async def delete(self, table: Table, key: str) -> Operation:
        """Delete a row."""
        mark(self._request, DELETE)
        match = self._request.headers.get("if-match")

        def check(row: Row | None) -> None:
            if row is not None and match not in (None, "*", etag(row)):
                raise Fault(412, CONCURRENCY_MISMATCH, "The version of the record doesn't match.")

        return await self._run("Delete", table, key, {}, check)

    async def many(self, table: Table, action: str, body: Mapping[str, Any]) -> Response:
        """Create or update several rows, where the table supports it."""
        name = action.removeprefix("Microsoft.Dynamics.CRM.")
        targets = body.get("Targets")
        if name not in ("CreateMultiple", "UpdateMultiple") or table.logical in _SINGLE:
            raise Fault(404, "0x80060888", f"Resource not found for the segment '{action}'.")
        if not isinstance(targets, list):
            raise Fault(400, INVALID_ARGUMENT, "'Targets' is missing.")
        mark(self._request, CREATE_MANY if name == "CreateMultiple" else UPDATE_MANY)
        if name == "CreateMultiple":
            ids = [(await self._create(table, target)).record_id for target in targets]
            context = f"{self._base}/$metadata#Microsoft.Dynamics.CRM.CreateMultipleResponse"
            return JSONResponse({"@odata.context": context, "Ids": ids})
        for target in targets:
            values = read_body(table, target).values
            key = values.pop(table.key)
            await self._run("Update", table, key, values, None)
        return Response(status_code=204)

    async def link(
        self, table: Table, row: Row, segments: list[str], body: Mapping[str, Any]
    ) -> Response:
        """Associate rows of a many-to-many relation, or take the association back."""
        relation = table.relations.get(segments[0].split("(")[0])
        if relation is None or segments[-1] != "$ref" or not relation.between:
            raise Fault(404, "0x80060888", f"Resource not found for the segment '{segments[0]}'.")
        adding = self._request.method == "POST"
        mark(self._request, ASSOCIATE if adding else DISASSOCIATE)
        named = body.get("@odata.id") or self._request.query_params.get("$id") or ""
        other = (
            Ref(relation.target, segments[0].partition("(")[2].rstrip(")").lower())
            if "(" in segments[0]
            else reference(str(named))
        )
        store = self._dataverse.store
        demand(store, self._caller.user_id, "Write", table.logical, row=row)
        if other.table != relation.target or store.get(other.table, other.id) is None:
            raise not_found(other.table, other.id)
        pair = {relation.near: row[table.key], relation.far: other.id}
        present = [p for p in store.all(relation.between) if pair.items() <= p.items()]
        if adding and not present:
            self._dataverse.insert(relation.between, pair)
        elif not adding:
            transaction = store.begin()
            for found in present:
                transaction.delete(relation.between, store.key_of(relation.between, found))
            transaction.commit()
        return Response(status_code=204)

    async def _run(
        self,
        message: str,
        table: Table,
        record_id: str,
        values: dict[str, Any],
        precondition: Precondition | None,
        *,
        beneath: dict[str, Any] | None = None,
    ) -> Operation:
        store = self._dataverse.store
        # The platform ignores columns that only it writes; it does not refuse them.
        values = {
            name: value for name, value in values.items() if not table.columns[name].read_only
        }
        for value in values.values():
            if isinstance(value, Ref) and store.get(value.table, value.id) is None:
                raise not_found(value.table, value.id)
        tag = self._request.query_params.get("tag")
        return await self._dataverse.write(
            message,
            table.logical,
            record_id,
            values,
            caller=self._caller,
            bypass=bypass_of(store, self._caller, self._request.headers),
            shared={"tag": tag} if tag is not None else {},
            beneath=beneath,
            precondition=precondition,
        )
