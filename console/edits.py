"""Decisions as people read them: one entry for each edit, by whom, from what to what.

An edit is seen twice, before and after it was committed, when all goes well. The second decision
says which one it confirms; both are one entry then. What confirms nothing stands alone.
"""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from rules.replay.ledger_format import ValueUnreadable, value_from

Listed = Mapping[str, Any]

APPROVAL_WORDS: Final = {None: "empty", 0: "empty", 1: "approved", 2: "pending", 3: "rejected"}
CONFIRMED: Final = "before and after commit"
CSV_COLUMNS: Final = (
    "decided_at",
    "decision",
    "seen",
    "enforcement",
    "actor_name",
    "actor_upn",
    "actor_id",
    "table",
    "record_id",
    "address_before",
    "address_after",
    "approval_before",
    "approval_after",
    "altered",
    "rules",
    "cause",
    "id",
)
_LEAST_WIDTH: Final = 80
# The millisecond and the counter within it: what tells the ids of one process apart.
ID_DIGITS: Final = 18
_INDENT: Final = " " * 21
# A spreadsheet takes a cell that begins so for a formula.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def edits_of(found: Sequence[Listed]) -> list[Listed]:
    """Return one entry for each edit, in the order of the decisions; `seen` says when it was."""
    ids = {one["id"] for one in found}
    confirmed = {one["confirms"] for one in found} & ids
    return [
        {**one, "seen": CONFIRMED if one["id"] in confirmed else seen(one)}
        for one in found
        if one["confirms"] not in ids
    ]


def events_of(found: Sequence[Listed]) -> list[Listed]:
    """Return an entry for each decision."""
    return [{**one, "seen": seen(one)} for one in found]


def seen(one: Listed) -> str:
    """Return whether the decision was made before or after the commit."""
    if one["mode"] is None:
        return ""
    return "before commit" if one["mode"] == 0 else "after commit"


def text_of(entries: Sequence[Listed]) -> str:
    """Return the entries for a terminal, no line wider than it is; 80 where there is none."""
    return "\n".join(line for one in entries for line in _lines(one, _width()))


def csv_of(entries: Sequence[Listed], *, head: bool = True) -> str:
    """Return the entries as RFC 4180 has it, for a spreadsheet: no cell is a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    if head:
        writer.writerow(CSV_COLUMNS)
    for one in entries:
        cells = {
            **one,
            **{f"actor_{name}": value for name, value in one["actor"].items()},
            **{f"address_{side}": value for side, value in one["address"].items()},
            **{f"approval_{side}": approval_word(value) for side, value in one["approval"].items()},
            "altered": " ".join(one["altered"]),
            "rules": " ".join(one["rules"]),
        }
        writer.writerow(_cell(cells.get(name)) for name in CSV_COLUMNS)
    return text.getvalue().rstrip("\n")


def changed_text(one: Listed) -> str:
    """Return what the edit altered: the address from what to what, the approval, other columns."""
    address, approval = one["address"], one["approval"]
    parts: list[str] = []
    names = [name for name in one["altered"] if name != "emailrouteraccessapproval"]
    if address.get("before") != address.get("after"):
        parts.append(f"{address['before'] or '(none)'} → {address['after'] or '(none)'}")
        names = [name for name in names if name not in ("emailaddress", "internalemailaddress")]
    elif address.get("after"):
        parts.append(str(address["after"]))
    before, after = (approval_word(approval.get(side)) for side in ("before", "after"))
    if before != after:
        parts.append(f"approval {before} → {after}")
    parts += names
    return ", ".join(parts) or str(one["cause"])


def actor_text(one: Listed) -> str:
    """Return who it was: name and sign-in name, or the id of whom nothing is known."""
    actor = one["actor"]
    if actor["name"] and actor["upn"]:
        return f"{actor['name']} <{actor['upn']}>"
    return str(actor["upn"] or actor["name"] or actor["id"] or "nobody known")


def fact_text(one: Listed) -> str:
    """Return a fact as the rules read it, where it came from, and its age where it has one."""
    source, age = one["source"] or "unknown source", one["age_seconds"]
    if age and isinstance(age, int | float):
        source += f", {age:.3g} seconds old"
    return f"{one['name']} = {_value_text(one['value'])} ({source})"


def approval_word(value: Any) -> str:
    """Return the approval in a word; what has none is shown as it is."""
    return APPROVAL_WORDS.get(value, str(value)) if not isinstance(value, list | dict) else "?"


def _value_text(stored: Any) -> str:
    try:
        value = value_from(stored)
    except ValueUnreadable:
        return "?"
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return json.dumps(stored, ensure_ascii=False)


def _lines(one: Listed, width: int) -> list[str]:
    moment = str(one["decided_at"] or "")[:19].replace("T", " ")
    about = ", ".join(part for part in (one["seen"], _enforcement(one)) if part)
    by = f"by {actor_text(one)}" + (f", {one['table']}" if one["table"] else "")
    lines = [
        f"{moment:19}  {one['decision']:6} {changed_text(one)}",
        f"  {one['id'][:ID_DIGITS]:18} {by}",
        f"{_INDENT}{': '.join(part for part in (about, ', '.join(one['rules'])) if part)}",
    ]
    return [part for line in lines for part in _wrapped(line, width)]


def _enforcement(one: Listed) -> str:
    return {"enforce": "enforced", "observe": "observed"}.get(one["enforcement"] or "", "")


def _width() -> int:
    if not sys.stdout.isatty():
        return _LEAST_WIDTH
    return max(_LEAST_WIDTH, shutil.get_terminal_size().columns)


def _wrapped(line: str, width: int) -> list[str]:
    return textwrap.wrap(
        line,
        width,
        subsequent_indent=_INDENT,
        break_on_hyphens=False,
        drop_whitespace=False,
    )


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text
