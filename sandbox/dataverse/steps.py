"""Registered steps: which of them an event fires, and what they want to see."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

from sandbox.dataverse.faults import WEBHOOK_BAD_HEADERS, WEBHOOK_BAD_QUERY, Fault
from sandbox.dataverse.rows import Row, View

WEBHOOK_CONTRACT = 8
_KEY, _HEADERS, _QUERY = 4, 5, 6
_ENABLED = 0


@dataclass(frozen=True, slots=True)
class Image:
    """A registered image: its alias, before or after, and its columns (none: all)."""

    alias: str
    before: bool
    after: bool
    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Step:
    """A registered step of a webhook."""

    id: str
    name: str
    message: str
    table: str
    stage: int
    mode: int
    rank: int
    columns: frozenset[str]
    endpoint: Row
    images: tuple[Image, ...]
    runs_as: str | None
    forgets_success: bool

    def wants(self, sent: Iterable[str]) -> bool:
        """Tell whether the filtering attributes let an update through: presence counts alone."""
        return self.message != "Update" or not self.columns or bool(self.columns & set(sent))


def _names(text: str | None) -> tuple[str, ...]:
    return tuple(name for name in (text or "").split(",") if name)


def _images(view: View, step_id: str) -> tuple[Image, ...]:
    found = []
    for row in view.all("sdkmessageprocessingstepimage"):
        owner = row["sdkmessageprocessingstepid"]
        if owner is not None and owner.id == step_id:
            kind = row["imagetype"]
            alias = row["entityalias"] or row["name"] or ""
            found.append(Image(alias, kind in (0, 2), kind in (1, 2), _names(row["attributes"])))
    return tuple(found)


def read_step(view: View, row: Row) -> Step | None:
    """Return the step that a row registers, or None when it fires nothing here."""
    message = row["sdkmessageid"] and view.get("sdkmessage", row["sdkmessageid"].id)
    limit = row["sdkmessagefilterid"] and view.get("sdkmessagefilter", row["sdkmessagefilterid"].id)
    handler = row["eventhandler"]
    endpoint = handler and view.get("serviceendpoint", handler.id)
    if not message or not limit or not endpoint or endpoint["contract"] != WEBHOOK_CONTRACT:
        return None
    runs_as = row["impersonatinguserid"]
    return Step(
        id=row["sdkmessageprocessingstepid"],
        name=row["name"] or "",
        message=message["name"],
        table=limit["primaryobjecttypecode"],
        stage=row["stage"],
        mode=row["mode"],
        rank=row["rank"] or 1,
        columns=frozenset(_names(row["filteringattributes"])),
        endpoint=endpoint,
        images=_images(view, row["sdkmessageprocessingstepid"]),
        runs_as=runs_as.id if runs_as else None,
        forgets_success=bool(row["asyncautodelete"]),
    )


def steps_on(view: View, message: str, table: str) -> list[Step]:
    """Return the enabled steps on a message of a table, in the order of their rank."""
    enabled = (row for row in view.all("sdkmessageprocessingstep") if row["statecode"] == _ENABLED)
    read = (read_step(view, row) for row in enabled)
    fitting = [step for step in read if step and (step.message, step.table) == (message, table)]
    return sorted(fitting, key=lambda step: step.rank)


def _settings(authvalue: str, code: str) -> dict[str, str]:
    """Read the XML of header and query authentication."""
    try:
        root = ET.fromstring(authvalue)  # noqa: S314 - written by the organisation's own admins.
        if root.tag != "settings":
            raise ValueError("not <settings>")
        return {entry.attrib["name"]: entry.attrib["value"] for entry in root.iter("setting")}
    except (ET.ParseError, KeyError, ValueError) as error:
        raise Fault(
            400, code, "The webhook call failed because of an invalid authvalue."
        ) from error


def addressed(endpoint: Row) -> tuple[str, dict[str, str]]:
    """Return where a delivery goes and the headers that prove it. Raises Fault."""
    parts = urlsplit(endpoint["url"] or "")
    query, headers = parts.query, {}
    value = endpoint["authvalue"] or ""
    if endpoint["authtype"] == _KEY:
        query = "&".join(part for part in (query, urlencode({"code": value})) if part)
    elif endpoint["authtype"] == _HEADERS:
        headers = _settings(value, WEBHOOK_BAD_HEADERS)
    elif endpoint["authtype"] == _QUERY:
        added = urlencode(_settings(value, WEBHOOK_BAD_QUERY))
        query = "&".join(part for part in (query, added) if part)
    path = parts.path.rstrip("/")
    return urlunsplit((parts.scheme, parts.netloc, path, query, "")), headers
