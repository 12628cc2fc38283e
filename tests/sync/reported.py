"""Mailboxes as reports tell of them: files under `reports/`, played into a sandbox.

A file holds `messages` (what lies in the Inbox) and `answers` (what requests get instead of the
service's own answer). Of a message: `subject`, `from`, `mid` (internetMessageId), `received`,
`body` as HTML, `repeat_body` [piece, times], `attachments` as Graph writes them; `set` puts
properties of the Graph message as they are; `item` makes that attachment an attached item; `box` 1
is a second mailbox. `before_sync` tells how many messages were synced before the rest arrived.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandbox import people
from sandbox.faults import PlannedFault
from sandbox.graph.mailboxes import Arrival
from sandbox.graph.messages import Attachment, Message, opaque_id
from sandbox.server import Sandbox

REPORTS = Path(__file__).parent / "reports"
FILES = sorted(path.stem for path in REPORTS.glob("*.json"))
BOXES = (people.ANNA, people.CFO)
ARRIVED = datetime(2026, 11, 5, 6, 29, 4, tzinfo=UTC)
_ITEM = {"@odata.type": "#microsoft.graph.itemAttachment", "contentBytes": None}


def read(name: str) -> dict[str, Any]:
    """Return what a report tells."""
    report: dict[str, Any] = json.loads((REPORTS / f"{name}.json").read_text())
    return report


def empty(sandbox: Sandbox) -> None:
    """Let nothing lie in the two mailboxes."""
    for box in BOXES:
        mailbox = sandbox.mailbox(box.alias)
        mailbox.items.clear()
        mailbox.journal.clear()


def deliver(sandbox: Sandbox, told: Mapping[str, Any]) -> Message:
    """Let a message arrive as it is told."""
    received = datetime.fromisoformat(told["received"]) if "received" in told else ARRIVED
    body = told.get("body", "<p>said</p>")
    if "repeat_body" in told:
        piece, times = told["repeat_body"]
        body = piece * times
    message = sandbox.exchange.deliver(
        sandbox.mailbox(BOXES[told.get("box", 0)].alias),
        Arrival(
            subject=told["subject"],
            sender=told.get("from", "customer@fabrikam.com"),
            html=body,
            message_id=told.get("mid"),
            attachments=tuple(
                _attachment(one, is_item=told.get("item") == place)
                for place, one in enumerate(told.get("attachments", ()))
            ),
        ),
        now=received,
    )
    message.properties |= told.get("set", {})
    return message


def plan_answers(sandbox: Sandbox, report: Mapping[str, Any]) -> None:
    """Let requests get the answers that the report tells of."""
    for told in report.get("answers", ()):
        pattern = told["request"].replace("MAILBOX", BOXES[0].object_id)
        times = told.get("times", 1_000_000)
        sandbox.faults.add(
            PlannedFault(
                "graph",
                "",
                told["status"],
                pattern=pattern,
                body=told.get("json"),
                headers=told.get("headers", {}),
                times=times,
            )
        )


def _attachment(told: Mapping[str, Any], *, is_item: bool) -> Attachment:
    content = base64.b64decode(told["contentBytes"])
    changed = {name: value for name, value in told.items() if name != "contentBytes"}
    return Attachment(
        opaque_id("AAMkAGat"),
        told["name"],
        told.get("contentType", "application/octet-stream"),
        content,
        is_inline=told.get("isInline", False),
        told=changed | (_ITEM if is_item else {}),
    )
