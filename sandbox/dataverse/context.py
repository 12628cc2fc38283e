"""The RemoteExecutionContext, written as the platform's JSON serializer writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sandbox.dataverse.rows import Ref, Row, View
from sandbox.dataverse.schema import Table
from sandbox.dataverse.tables import TABLES
from sandbox.dataverse.values import display, name_of

_CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
ZERO = "00000000-0000-0000-0000-000000000000"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def milliseconds(moment: datetime) -> int:
    """Return the milliseconds since 1970, negative before it."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def date(moment: datetime) -> str:
    """Return a moment as the serializer writes it."""
    return f"/Date({milliseconds(moment)})/"


def skewed_date(moment: datetime, *, offset_minutes: int) -> str:
    """Return a moment as asynchronous contexts carry it: the number is off by the offset."""
    sign = "-" if offset_minutes < 0 else "+"
    hours, minutes = divmod(abs(offset_minutes), 60)
    shifted = milliseconds(moment) - offset_minutes * 60_000
    return f"/Date({shifted}{sign}{hours:02d}{minutes:02d})/"


def _typed(kind: str, **members: Any) -> dict[str, Any]:
    return {"__type": f"{kind}:{_CONTRACTS}", **members}


def encode(kind: str, value: Any, view: View, *, named: bool = False) -> Any:
    """Return one column's value in the serializer's encoding."""
    if value is None:
        return None
    if isinstance(value, Ref):
        return _typed(
            "EntityReference",
            Id=value.id,
            KeyAttributes=[],
            LogicalName=value.table,
            Name=name_of(value, view) if named else None,
            RowVersion=None,
        )
    if isinstance(value, datetime):
        return date(value)
    if kind == "choice":
        return _typed("OptionSetValue", Value=value)
    return value


def pairs(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a mapping as the serializer's list of key and value."""
    return [{"key": key, "value": value} for key, value in values.items()]


def entity(
    table: Table,
    record_id: str,
    values: Mapping[str, Any],
    view: View,
    *,
    formatted: bool,
    typed: bool,
    version: int | None = None,
) -> dict[str, Any]:
    """Return a row, or part of one, as an Entity; inside images its `__type` is left out."""
    attributes, texts = {}, {}
    for name, value in values.items():
        column = table.columns.get(name)
        if column is None:
            attributes[name] = value
            continue
        attributes[name] = encode(column.kind, value, view, named=formatted)
        text = display(column, value, view) if formatted else None
        if text is not None:
            texts[name] = text
    body = {
        "Attributes": pairs(attributes),
        "EntityState": None,
        "FormattedValues": pairs(texts),
        "Id": record_id,
        "KeyAttributes": [],
        "LogicalName": table.logical,
        "RelatedEntities": [],
        "RowVersion": None if version is None else str(version),
    }
    return {"__type": f"Entity:{_CONTRACTS}", **body} if typed else body


def image(table: Table, row: Row, names: list[str], view: View) -> dict[str, Any]:
    """Return an image of a row: the registered columns, and of them only those with a value."""
    wanted = names or [name for name, column in table.columns.items() if not column.write_only]
    values = {name: row[name] for name in wanted if row.get(name) is not None}
    values[table.key] = row[table.key]
    return entity(
        table,
        row[table.key],
        values,
        view,
        formatted=True,
        typed=False,
        version=row.get("versionnumber"),
    )


@dataclass(frozen=True, slots=True)
class Organization:
    """What every context says about where it comes from."""

    id: str
    unique_name: str
    domain_name: str
    business_unit_id: str


@dataclass(frozen=True, slots=True)
class Event:
    """One moment of one operation, with everything that a context says about it."""

    message: str
    table: str
    record_id: str
    target: Mapping[str, Any] | Ref
    stage: int
    mode: int
    depth: int
    user_id: str
    user_object_id: str
    initiating_user_id: str
    initiating_object_id: str
    user_agent: str
    correlation_id: str
    operation_id: str
    request_id: str
    started_at: datetime
    in_transaction: bool
    shared: Mapping[str, Any]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    output: Mapping[str, Any] = field(default_factory=dict)
    pre_images: Mapping[str, Any] = field(default_factory=dict)
    post_images: Mapping[str, Any] = field(default_factory=dict)
    step: tuple[str, str | None] | None = None
    parent: Event | None = None
    offset_minutes: int = 0


def _target(event: Event, view: View) -> Any:
    if isinstance(event.target, Ref):
        return encode("lookup", event.target, view)
    created = event.message == "Create" and event.stage == 40
    return entity(
        TABLES[event.table],
        event.record_id,
        event.target,
        view,
        formatted=created,
        typed=True,
    )


def _named(event: Event) -> str:
    """Return the parameter that the row stands in."""
    return "EntityMoniker" if event.message == "SetState" else "Target"


def as_context(event: Event, organization: Organization, view: View) -> dict[str, Any]:
    """Return the context of an event, its members in the order of the wire."""
    step_id, step_name = event.step or (ZERO, None)
    parent = event.parent
    created = (
        skewed_date(event.started_at, offset_minutes=event.offset_minutes)
        if event.mode == 1
        else date(event.started_at)
    )
    return {
        "BusinessUnitId": organization.business_unit_id,
        "CorrelationId": event.correlation_id,
        "Depth": event.depth,
        "InitiatingUserAgent": event.user_agent,
        "InitiatingUserAzureActiveDirectoryObjectId": event.initiating_object_id,
        "InitiatingUserId": event.initiating_user_id,
        "InputParameters": pairs({_named(event): _target(event, view), **event.parameters}),
        "IsExecutingOffline": False,
        "IsInTransaction": event.in_transaction,
        "IsOfflinePlayback": False,
        "IsolationMode": 1,
        "MessageName": event.message,
        "Mode": event.mode,
        "OperationCreatedOn": created,
        "OperationId": event.operation_id,
        "OrganizationId": organization.id,
        "OrganizationName": organization.unique_name,
        "OutputParameters": pairs(event.output),
        "OwningExtension": _typed(
            "EntityReference",
            Id=step_id,
            KeyAttributes=[],
            LogicalName="sdkmessageprocessingstep",
            Name=None if event.mode == 1 else step_name,
            RowVersion=None,
        ),
        "ParentContext": as_context(parent, organization, view) if parent else None,
        "PostEntityImages": pairs(event.post_images),
        "PreEntityImages": pairs(event.pre_images),
        "PrimaryEntityId": event.record_id,
        "PrimaryEntityName": event.table,
        "RequestId": event.request_id,
        "SecondaryEntityName": "none",
        "SharedVariables": pairs(event.shared),
        "Stage": event.stage,
        "UserAzureActiveDirectoryObjectId": event.user_object_id,
        "UserId": event.user_id,
    }


SIZE_LIMIT = 262_144
_STRIPPED = ("ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages")


def to_bytes(context: Mapping[str, Any]) -> bytes:
    """Return the body of a delivery; the serializer escapes every slash."""
    text = json.dumps(context, ensure_ascii=False, separators=(",", ":"))
    return text.replace("/", "\\/").encode()


def strip(context: Mapping[str, Any]) -> dict[str, Any]:
    """Return the context without the four members that a too large body loses."""
    return {key: value for key, value in context.items() if key not in _STRIPPED}
