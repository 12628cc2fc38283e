"""Records of Microsoft's unified audit log as people export them, read without trusting their form.

They come as JSON lines, as one JSON array or page of Graph's audit queries, or as CSV of the
Purview portal or of PowerShell, whose column AuditData holds the record as JSON. Files come in
UTF-8 or UTF-16, with commas or semicolons, with a type line above the head; AuditData may be cut
off, or quoted once more by a spreadsheet. What cannot be read is told by its place, never guessed.

Fields as in the schema of the Office 365 Management Activity API: common schema, Exchange mailbox
schema (MailItemsAccessed) and the schema of Dataverse; `CreationTime` is UTC without saying so.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

from kernel.digest import sha256_hex
from kernel.errors import InputRefused
from kernel.reading import why_unreadable

MOST_DOCUMENT_BYTES: Final = 256 * 1024 * 1024
MOST_LINE_BYTES: Final = 4 * 1024 * 1024
MOST_RECORDS: Final = 5_000_000
MOST_MESSAGE_IDS: Final = 20
_MAIL_READ: Final = "mailitemsaccessed"
_AUDIT_DATA: Final = "auditdata"
_HINT: Final = "Export the audit log as CSV or JSON, and name that file."


@dataclass(frozen=True, slots=True)
class Unread:
    """Something of a file that is no record, and why; `where` names its place."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class MailRead:
    """Items of a mailbox that somebody read: a MailItemsAccessed record.

    `app_id` is the application, `user` who signed in, both empty where the record names none;
    `mailbox` is the sign-in name of its owner. Reads within two minutes are one record, `is_rest`
    says that they came by the API, `is_throttled` that the mailbox is not recorded for a day.
    """

    id: str
    at: datetime
    app_id: str
    user: str
    mailbox: str
    logon_type: int | None
    is_rest: bool
    is_sync: bool
    is_throttled: bool
    items: int
    message_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowEdit:
    """A row of Dataverse that somebody wrote; `columns` is None where the record names none."""

    id: str
    at: datetime
    user: str
    table: str
    record_id: str
    operation: str
    columns: frozenset[str] | None


@dataclass(frozen=True, slots=True)
class Other:
    """A record of something else, by its operation."""

    operation: str


def read_file(file: Path) -> Iterator[tuple[str, Mapping[str, Any]] | Unread]:
    """Yield each record of a file with its digest, or what is none; exact repeats come again.

    Raises InputRefused for a file that cannot be read, or is too large to be read whole.
    """
    count = 0
    try:
        with file.open("rb") as opened:
            head = opened.read(4)
        encoding = "utf-16" if head[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        with file.open(encoding=encoding, errors="replace", newline="") as opened:
            for found in _records(opened, file):
                count += 1
                if count > MOST_RECORDS:
                    raise InputRefused(
                        f"{file} holds more than {MOST_RECORDS:,} records.",
                        hint="Export a shorter time, one file for each.",
                    )
                yield found
    except (OSError, UnicodeError) as error:
        raise InputRefused(f"{file} can't be read: {why_unreadable(error)}.", hint=_HINT) from None


def _records(opened: TextIO, file: Path) -> Iterator[tuple[str, Mapping[str, Any]] | Unread]:
    first = ""
    while not first.strip() or first.startswith("#TYPE"):
        start = opened.tell()
        first = opened.readline(MOST_LINE_BYTES)
        if not first:
            raise InputRefused(f"{file} is empty.", hint=_HINT)
    opened.seek(start)
    text = first.lstrip()
    if text.startswith("[") or (text.startswith("{") and not _is_object(text)):
        yield from _document(opened, file)
    elif text.startswith("{"):
        yield from _lines(opened, file)
    else:
        yield from _rows(opened, file)


def _is_object(text: str) -> bool:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        # A line that is cut off is one line of many; one that opens an object is not.
        return len(text.strip()) > 1 and text.rstrip()[-1:] not in ("{", "[", ",")
    return "value" not in found


def _document(opened: TextIO, file: Path) -> Iterator[tuple[str, Mapping[str, Any]] | Unread]:
    text = opened.read(MOST_DOCUMENT_BYTES + 1)
    if len(text) > MOST_DOCUMENT_BYTES:
        raise InputRefused(
            f"{file} is one JSON document of more than {MOST_DOCUMENT_BYTES // 1024**2} MiB.",
            hint="Export a shorter time, or one record a line.",
        )
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise InputRefused(f"{file} is not JSON as a whole.", hint=_HINT) from None
    if isinstance(found, dict):
        found = found.get("value", [found])
    if not isinstance(found, list):
        raise InputRefused(f"{file} holds no list of records.", hint=_HINT)
    for number, one in enumerate(found, 1):
        yield _opened(one, f"{file}, record {number}")


def _lines(opened: TextIO, file: Path) -> Iterator[tuple[str, Mapping[str, Any]] | Unread]:
    number = 0
    while line := opened.readline(MOST_LINE_BYTES):
        number += 1
        if line.strip():
            yield _opened(line, f"{file}:{number}")


def _rows(opened: TextIO, file: Path) -> Iterator[tuple[str, Mapping[str, Any]] | Unread]:
    head = opened.readline(MOST_LINE_BYTES)
    separator = ";" if head.count(";") > head.count(",") else ","
    names = [
        one.strip().lower() for one in next(csv.reader(io.StringIO(head), delimiter=separator))
    ]
    if _AUDIT_DATA not in names:
        raise InputRefused(
            f"{file} is no export of the audit log: it has no column AuditData.", hint=_HINT
        )
    at = names.index(_AUDIT_DATA)
    csv.field_size_limit(MOST_LINE_BYTES)
    # A line is never longer in memory than this, whatever the file holds.
    lines = iter(lambda: opened.readline(MOST_LINE_BYTES), "")
    rows = csv.reader(lines, delimiter=separator)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Unread(f"{file}:{rows.line_num + 1}", str(error))
            continue
        if row:
            where = f"{file}:{rows.line_num + 1}"
            yield _opened(row[at] if at < len(row) else "", where)


def _opened(found: Any, where: str) -> tuple[str, Mapping[str, Any]] | Unread:
    """Return a record with its digest; Graph's own puts it under `auditData`."""
    if isinstance(found, str):
        text = found.strip()
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = _unquoted(text)
        if found is None:
            is_cut = text.startswith("{") and not text.endswith("}")
            return Unread(where, "it is cut off" if is_cut else "it is not JSON")
    if not isinstance(found, dict):
        return Unread(where, "it is no object")
    inner = next((found[name] for name in ("auditData", "AuditData") if name in found), None)
    if isinstance(inner, str):
        return _opened(inner, where)
    if isinstance(inner, dict):
        found = inner
    digest = sha256_hex(json.dumps(found, sort_keys=True).encode("utf-8", "backslashreplace"))
    return digest, found


def _unquoted(text: str) -> Any:
    """Return what a spreadsheet quoted once more: every quotation mark stands there twice."""
    if '""' not in text:
        return None
    try:
        return json.loads(text.strip('"').replace('""', '"'))
    except (ValueError, RecursionError):
        return None


def understood(record: Mapping[str, Any], where: str) -> MailRead | RowEdit | Other | Unread:
    """Return what a record says."""
    # Names differ in case between exports, and one is known with a blank behind it.
    told = {str(name).strip().lower(): value for name, value in record.items()}
    operation = _text(told, "operation", "operations")
    entity = _text(told, "entityname").lower()
    is_mail_read = operation.lower() == _MAIL_READ
    if not is_mail_read and not entity:
        return Other(operation or "without a name")
    at = _moment(_text(told, "creationtime", "creationdate"))
    if at is None:
        return Unread(where, "it does not say when")
    record_id = _text(told, "id")
    user = _text(told, "userid", "userids").lower()
    if not is_mail_read:
        edited = _text(told, "entityid").strip("{}").lower()
        if not edited:
            return Unread(where, "it names no row")
        return RowEdit(
            record_id, at, user, entity, edited, _text(told, "message") or operation,
            _columns(told.get("fields")),
        )  # fmt: skip
    properties = {
        str(one.get("Name")): str(one.get("Value"))
        for one in _listed(told.get("operationproperties"))
    }
    messages = [
        str(item["InternetMessageId"])
        for folder in _listed(told.get("folders"))
        for item in _listed(folder.get("FolderItems"))
        if item.get("InternetMessageId")
    ]
    count, logon = told.get("operationcount"), told.get("logontype")
    client = _text(told, "clientinfostring").replace(" ", "").lower()
    return MailRead(
        record_id,
        at,
        (_text(told, "appid") or _text(told, "clientappid")).strip("{}").lower(),
        user,
        _text(told, "mailboxownerupn").lower(),
        logon if isinstance(logon, int) else None,
        is_rest=client.startswith("client=rest"),
        is_sync=properties.get("MailAccessType") == "Sync",
        is_throttled=properties.get("IsThrottled", "").lower() == "true",
        items=count if isinstance(count, int) and count > 0 else max(len(messages), 1),
        message_ids=tuple(messages[:MOST_MESSAGE_IDS]),
    )


def _text(told: Mapping[str, Any], *names: str) -> str:
    for name in names:
        value = told.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def _listed(value: Any) -> list[Mapping[str, Any]]:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return []
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _columns(fields: Any) -> frozenset[str] | None:
    if isinstance(fields, str):
        try:
            fields = json.loads(fields)
        except (ValueError, RecursionError):
            return None
    if isinstance(fields, dict):
        return frozenset(str(name).lower() for name in fields) or None
    names = {str(one.get("Name", one.get("Key", ""))).lower() for one in _listed(fields)} - {""}
    return frozenset(names) or None


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
