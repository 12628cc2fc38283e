"""The Web API: paths, headers and bodies around the organisation's operations."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.dataverse import metadata, writes
from sandbox.dataverse.actions import send_app_notification
from sandbox.dataverse.callers import caller_of
from sandbox.dataverse.faults import BAD_QUERY, INVALID_ARGUMENT, Fault, not_found
from sandbox.dataverse.functions import call, called, who_am_i
from sandbox.dataverse.operation import Caller
from sandbox.dataverse.organization import Dataverse
from sandbox.dataverse.query import next_link, page, related, resolver, shape, shown
from sandbox.dataverse.rows import Ref, Row
from sandbox.dataverse.schema import Table
from sandbox.dataverse.tables import SETS, TABLES
from sandbox.dataverse.values import etag, is_guid, lookup_named
from sandbox.faults import FaultPlan
from sandbox.odata import QueryRefused, parse_filter, parse_prefer, split_outside
from sandbox.routes import mark, route
from sandbox.tokens import TokenRefused, Tokens

WHO_AM_I = route("dataverse", "GET", "/WhoAmI")
COLLECTION = route("dataverse", "GET", "/{set}")
RECORD = route("dataverse", "GET", "/{set}({id})")
RELATED = route("dataverse", "GET", "/{set}({id})/{navigation}")
FUNCTION = route("dataverse", "GET", "/{set}({id})/Microsoft.Dynamics.CRM.{function}")
SEND_APP_NOTIFICATION = route("dataverse", "POST", "/SendAppNotification")
DEFINITIONS = route("dataverse", "GET", "/EntityDefinitions")
DEFINITION = route("dataverse", "GET", "/EntityDefinitions({key})")
CHOICES = route("dataverse", "GET", "/EntityDefinitions({key})/Attributes/{picklists}")

_KEYED = re.compile(r"^(\w+)\((.+)\)$")
_VERSION = re.compile(r"^v9\.\d$")
_CONTENT_TYPE = "application/json; odata.metadata=minimal"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the handlers see it."""

    request: Request
    caller: Caller
    base: str
    options: Mapping[str, str]
    preferences: Mapping[str, str]

    @property
    def annotations(self) -> bool:
        """Tell whether the answer carries annotations."""
        return bool(self.preferences.get("odata.include-annotations"))

    @property
    def page_size(self) -> int | None:
        """Return the page size asked for, if any."""
        text = self.preferences.get("odata.maxpagesize", "")
        return int(text) if text.isdigit() and int(text) > 0 else None


class WebApi:
    """The organisation's HTTP surface."""

    def __init__(self, dataverse: Dataverse, tokens: Tokens, faults: FaultPlan) -> None:
        self._dataverse, self._tokens, self._faults = dataverse, tokens, faults
        self.audiences: frozenset[str] = frozenset()

    def app(self) -> Starlette:
        """Return the origin's application."""
        methods = ["GET", "POST", "PATCH", "PUT", "DELETE"]
        path = "/api/data/{version}/{rest:path}"
        return Starlette(routes=[Route(path, self._answer, methods=methods)])

    async def _answer(self, request: Request) -> Response:
        planned = self._faults.match("dataverse", request.method, str(request.url))
        if planned is not None and not planned.after:
            return planned.response()
        try:
            response = await self._dispatch(request)
        except Fault as fault:
            response = _failed(fault)
        except TokenRefused:
            response = self._unauthorized()
        if planned is not None:
            response = planned.response()
        response.headers.setdefault("OData-Version", "4.0")
        response.headers["x-ms-service-request-id"] = str(uuid4())
        response.headers["x-ms-ratelimit-burst-remaining-xrm-requests"] = "5999"
        response.headers["x-ms-ratelimit-time-remaining-xrm-requests"] = "1,200.00"
        return response

    def _unauthorized(self) -> Response:
        return Response(
            status_code=401,
            headers={
                "WWW-Authenticate": f'Bearer authorization_uri="{self._tokens.issuer}", '
                f"resource_id={sorted(self.audiences)[0]}/"
            },
        )

    async def _dispatch(self, request: Request) -> Response:
        if not _VERSION.match(request.path_params["version"]):
            raise _no_resource(request.path_params["version"])
        header = request.headers.get("authorization")
        bearer = self._tokens.check(header, audiences=self.audiences)
        request.scope["state"]["caller"] = bearer.app_id if bearer.is_app else bearer.upn
        caller = caller_of(self._dataverse.store, bearer, request.headers)
        version = request.path_params["version"]
        asked = Asked(
            request=request,
            caller=caller,
            base=f"{request.url.scheme}://{request.url.netloc}/api/data/{version}",
            options=dict(request.query_params),
            preferences=parse_prefer(request.headers.getlist("prefer")),
        )
        segments = split_outside(request.path_params["rest"], "/")
        if request.method == "GET":
            return self._read(asked, segments)
        return await self._write(asked, segments)

    def _read(self, asked: Asked, segments: list[str]) -> Response:
        request = asked.request
        head = segments[0] if segments else ""
        if head.split("(")[0] == "WhoAmI":
            mark(request, WHO_AM_I)
            return _ok(who_am_i(asked.caller, self._dataverse.about, asked.base))
        if head.startswith("EntityDefinitions"):
            return self._metadata(asked, segments)
        if not head:
            raise _no_resource("")
        if "(" not in head:
            mark(request, COLLECTION)
            table = table_of(head)
            return self._collection(asked, table, self._dataverse.store.all(table.logical))
        table, row = self._row(head)
        if len(segments) == 1:
            mark(request, RECORD)
            if request.headers.get("if-none-match") == etag(row):
                return Response(status_code=304)
            return _ok(self.record(asked, table, row), tag=etag(row))
        function = called(segments[1], asked.options)
        if function is not None:
            mark(request, FUNCTION)
            return _ok(
                call(
                    *function,
                    view=self._dataverse.store,
                    user_id=row[table.key],
                    organization=self._dataverse.about,
                    directory=self._dataverse.directory,
                    base=asked.base,
                )
            )
        mark(request, RELATED)
        return self._related(asked, table, row, segments[1])

    def _metadata(self, asked: Asked, segments: list[str]) -> Response:
        match = _KEYED.match(segments[0])
        if match is None:
            mark(asked.request, DEFINITIONS)
            return _ok(metadata.definitions(asked.options, asked.base))
        table = metadata.table_keyed(match.group(2))
        if len(segments) == 1:
            mark(asked.request, DEFINITION)
            return _ok(metadata.one_definition(table, asked.options, asked.base))
        if segments[1:] == ["Attributes", "Microsoft.Dynamics.CRM.PicklistAttributeMetadata"]:
            mark(asked.request, CHOICES)
            return _ok(metadata.choices(table, asked.base))
        raise _no_resource(segments[1])

    def _related(self, asked: Asked, table: Table, row: Row, name: str) -> Response:
        view = self._dataverse.store
        relation = table.relations.get(name)
        if relation is not None:
            target = TABLES[relation.target]
            return self._collection(asked, target, related(table, row, view, relation))
        found = lookup_named(table, name)
        if found is None:
            raise _no_resource(name)
        value: Ref | None = row.get(found[0].name)
        other = view.get(value.table, value.id) if value is not None else None
        if value is None or other is None:
            return Response(status_code=204)
        return _ok(self.record(asked, TABLES[value.table], other), tag=etag(other))

    def _collection(self, asked: Asked, table: Table, rows: list[Row]) -> Response:
        view = self._dataverse.store
        how = shape(table, asked.options, annotations=asked.annotations)
        found = page(table, rows, view, asked.options, size=asked.page_size)
        select = asked.options.get("$select")
        body: dict[str, Any] = {
            "@odata.context": f"{asked.base}/$metadata#{table.entity_set}"
            + (f"({select})" if select else "")
        }
        if asked.options.get("$count") == "true":
            body["@odata.count"] = found.count
        body["value"] = [shown(table, row, view, how) for row in found.rows]
        if found.next_token is not None:
            path = str(asked.request.url).split("?")[0].removeprefix(asked.base + "/")
            body["@odata.nextLink"] = next_link(asked.base, path, asked.options, found.next_token)
        return _ok(body)

    def record(self, asked: Asked, table: Table, row: Row) -> dict[str, Any]:
        """Return one row as the request wants it."""
        how = shape(table, asked.options, annotations=asked.annotations)
        select = asked.options.get("$select")
        context = f"{asked.base}/$metadata#{table.entity_set}"
        context += f"({select})/$entity" if select else "/$entity"
        return {"@odata.context": context, **shown(table, row, self._dataverse.store, how)}

    def _row(self, segment: str) -> tuple[Table, Row]:
        table, key = keyed(segment)
        if is_guid(key):
            row = self._dataverse.store.get(table.logical, key)
        else:
            row = self.by_alternate_key(table, key)
        if row is None:
            raise not_found(table.logical, key)
        return table, row

    def by_alternate_key(self, table: Table, key: str) -> Row | None:
        """Return the row that an alternate key names."""
        try:
            wanted = parse_filter(key.replace("=", " eq ").replace(",", " and "))
            rows = self._dataverse.store.all(table.logical)
            view = self._dataverse.store
            return next((row for row in rows if wanted(resolver(table, row, view))), None)
        except QueryRefused as error:
            raise Fault(400, BAD_QUERY, f"The key '{key}' cannot be read.") from error

    async def _write(self, asked: Asked, segments: list[str]) -> Response:
        if not segments:
            raise _no_resource("")
        body = await _body(asked.request)
        sender = writes.Sender(self._dataverse, asked.request, asked.caller, asked.base)
        method = asked.request.method
        if segments == ["SendAppNotification"] and method == "POST":
            mark(asked.request, SEND_APP_NOTIFICATION)
            sent = await send_app_notification(self._dataverse, asked.caller, body)
            context = f"{asked.base}/$metadata#Microsoft.Dynamics.CRM.SendAppNotificationResponse"
            return _ok({"@odata.context": context, "NotificationId": sent})
        if "(" not in segments[0]:
            if method != "POST":
                raise Fault(405, "0x80060888", "The method is not allowed on a collection.")
            table = table_of(segments[0])
            if len(segments) > 1:
                return await sender.many(table, segments[1], body)
            operation = await sender.create(table, body)
        else:
            table, key = keyed(segments[0])
            if len(segments) > 1:
                table, row = self._row(segments[0])
                return await sender.link(table, row, segments[1:], body)
            if not is_guid(key):
                found = self.by_alternate_key(table, key)
                # A row that an upsert creates holds the values of the key that named it.
                body = {**key_values(key), **body}
                key = found[table.key] if found else str(uuid4())
            if method == "DELETE":
                await sender.delete(table, key)
                return Response(status_code=204)
            if method != "PATCH":
                raise Fault(405, "0x80060888", f"The method {method} is not allowed on a record.")
            operation = await sender.upsert(table, key, body)
        location = f"{asked.base}/{table.entity_set}({operation.record_id})"
        if asked.preferences.get("return") == "representation":
            row = self._dataverse.store.get(table.logical, operation.record_id) or {}
            status = 201 if operation.message == "Create" else 200
            return _ok(
                self.record(asked, table, row),
                tag=etag(row),
                status=status,
                headers={"OData-EntityId": location, "Preference-Applied": "return=representation"},
            )
        return Response(status_code=204, headers={"OData-EntityId": location})


def table_of(entity_set: str) -> Table:
    """Return the table of an entity set. Raises Fault."""
    table = SETS.get(entity_set)
    if table is None:
        raise _no_resource(entity_set)
    return table


def keyed(segment: str) -> tuple[Table, str]:
    """Return table and key of `set(key)`. Raises Fault."""
    match = _KEYED.match(segment)
    if match is None:
        raise _no_resource(segment)
    table, key = table_of(match.group(1)), match.group(2).strip()
    if key.startswith(f"{table.key}="):
        key = key.partition("=")[2]
    return table, key.lower() if is_guid(key) else key


def key_values(key: str) -> dict[str, Any]:
    """Return the columns that an alternate key names, with their values."""
    values: dict[str, Any] = {}
    for part in split_outside(key, ","):
        name, _, text = part.partition("=")
        quoted = text.startswith("'")
        values[name.strip()] = text[1:-1].replace("''", "'") if quoted else json.loads(text)
    return values


def _no_resource(segment: str) -> Fault:
    return Fault(404, BAD_QUERY, f"Resource not found for the segment '{segment}'.")


async def _body(request: Request) -> dict[str, Any]:
    data = await request.body()
    if not data:
        return {}
    try:
        body = json.loads(data)
    except ValueError as error:
        raise Fault(400, INVALID_ARGUMENT, "The request body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise Fault(400, INVALID_ARGUMENT, "The request body must be a JSON object.")
    return body


def _ok(
    body: Mapping[str, Any],
    *,
    tag: str | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    all_headers = {"Content-Type": _CONTENT_TYPE, **(headers or {})}
    if tag:
        all_headers["ETag"] = tag
    return JSONResponse(dict(body), status_code=status, headers=all_headers)


def _failed(fault: Fault) -> Response:
    error = {"code": fault.code, "message": fault.message}
    headers = {"Content-Type": _CONTENT_TYPE}
    return JSONResponse({"error": error}, status_code=fault.status, headers=headers)
