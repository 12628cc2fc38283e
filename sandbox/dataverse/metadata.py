"""Descriptions of tables, as far as clients ask for them before they work."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.dataverse.faults import BAD_QUERY, Fault
from sandbox.dataverse.schema import Table
from sandbox.dataverse.tables import TABLES
from sandbox.odata import QueryRefused, parse_filter, split_outside

_NAMESPACE = uuid.UUID("5f7a2d51-9c0b-4c1e-8a56-0d8f6f3c7a10")


def _label(text: str) -> dict[str, Any]:
    localized = {"Label": text, "LanguageCode": 1033, "IsManaged": True}
    return {"LocalizedLabels": [localized], "UserLocalizedLabel": localized}


def definition(table: Table) -> dict[str, Any]:
    """Return the description of a table."""
    return {
        "MetadataId": str(uuid.uuid5(_NAMESPACE, table.logical)),
        "LogicalName": table.logical,
        "SchemaName": table.logical.capitalize(),
        "EntitySetName": table.entity_set,
        "LogicalCollectionName": table.entity_set,
        "PrimaryIdAttribute": table.key,
        "PrimaryNameAttribute": table.name_column,
        "ObjectTypeCode": table.type_code,
        "ChangeTrackingEnabled": table.logical in ("mailbox", "systemuser", "queue", "email"),
    }


def _selected(body: Mapping[str, Any], options: Mapping[str, str]) -> dict[str, Any]:
    names = split_outside(options.get("$select", ""), ",")
    kept = {name: body[name] for name in names if name in body} if names else dict(body)
    return {"MetadataId": body["MetadataId"], **kept}


def definitions(options: Mapping[str, str], base: str) -> dict[str, Any]:
    """Return the tables that a filter names. Raises Fault."""
    try:
        predicate = parse_filter(options.get("$filter") or "true eq true")
        found = [
            _selected(body, options)
            for body in map(definition, TABLES.values())
            if predicate(lambda path, body=body: body.get(path))  # type: ignore[misc]
        ]
    except QueryRefused as error:
        raise Fault(400, BAD_QUERY, str(error)) from error
    return {"@odata.context": f"{base}/$metadata#EntityDefinitions", "value": found}


def one_definition(table: Table, options: Mapping[str, str], base: str) -> dict[str, Any]:
    """Return one table's description."""
    context = f"{base}/$metadata#EntityDefinitions/$entity"
    return {"@odata.context": context, **_selected(definition(table), options)}


def choices(table: Table, base: str) -> dict[str, Any]:
    """Return the choice columns of a table with their options."""
    context = (
        f"{base}/$metadata#EntityDefinitions('{table.logical}')/Attributes/"
        "Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
    )
    value = [
        {
            "LogicalName": column.name,
            "MetadataId": str(uuid.uuid5(_NAMESPACE, f"{table.logical}.{column.name}")),
            "OptionSet": {
                "Options": [
                    {"Value": number, "Label": _label(text)}
                    for number, text in column.options.items()
                ]
            },
        }
        for column in table.columns.values()
        if column.kind == "choice" and column.name not in ("statecode", "statuscode")
    ]
    return {"@odata.context": context, "value": value}


def table_keyed(key: str) -> Table:
    """Return the table that a metadata key names. Raises Fault."""
    name = key.partition("=")[2].strip("'") if key.lower().startswith("logicalname=") else key
    for table in TABLES.values():
        if name.casefold() in (table.logical, str(uuid.uuid5(_NAMESPACE, table.logical))):
            return table
    raise Fault(404, "0x80060888", f"The entity with a name = '{name}' was not found.")
