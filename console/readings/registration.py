"""What is shown of the registration in Dataverse: plans, what stands there, what is to be known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from console.output import counted, table
from guard.ports.registry import Step
from guard.registration.desired import LeftOut
from guard.registration.deviation import Deviation
from guard.registration.plan import Action
from guard.registration.register import Look
from guard.registration.role import PRIVILEGES
from guard.registration.stored import Remembered

_MOST = 3
_STATUS = "`mailbox-guard dataverse status`"


def told_of(known: Remembered | None) -> list[str]:
    """Return what a person has to know of the registration; nothing where all is as it should be.

    Where nothing was ever registered by us there is nothing to compare with.
    """
    if known is None:
        return []
    told = []
    if not known.is_finished:
        told.append(
            f"{known.by} began to register the guard in Dataverse and did not end it: give "
            "`mailbox-guard dataverse register` again."
        )
    if known.suspected_at is not None:
        since = known.suspected_at.isoformat(timespec="minutes")
        now = _listed(known.deviations) if known.deviations else "It is as it was again."
        told.append(
            f"The registration in Dataverse differs since {since}, and nothing is granted: {now} "
            f"Look who did it, then {_STATUS} with --accept, or `mailbox-guard dataverse register`."
        )
    if known.outdated:
        told.append(
            f"The policies need what is not registered in Dataverse: {_listed(known.outdated)} "
            "`mailbox-guard dataverse register` mends it."
        )
    if known.pause is not None:
        until = known.pause.until.isoformat(timespec="minutes")
        told.append(
            f"{known.pause.by} has paused the synchronous steps until {until}: "
            f"{known.pause.reason}. Nothing is stopped before it is committed."
        )
    return told


def _listed(deviations: Sequence[Deviation]) -> str:
    texts = [one.text for one in deviations[:_MOST]]
    more = len(deviations) - len(texts)
    return " ".join([*texts, *([f"And {more} more."] if more else [])])


def is_clean(seen: Look) -> bool:
    """Return whether all is as it was registered, and a person need not look."""
    found, known = seen.assessment, seen.known
    is_trusted = known is not None and known.is_finished and known.suspected_at is None
    return found.is_clean and is_trusted


def action_line(action: Action) -> str:
    """Return what is being done, in a line for whoever waits."""
    return f"{action.verb.value} {action.part.value}: {action.title}"


def shown_action(action: Action) -> dict[str, Any]:
    """Return an action as JSON has it: the shape of docs/commands.md."""
    return {
        "verb": action.verb.value,
        "part": action.part.value,
        "id": action.row.id,
        "title": action.title,
        "sends_key": action.sends_key,
        "because": [one.text for one in action.because],
    }


def shown_plan(seen: Look, actions: Sequence[Action]) -> dict[str, Any]:
    """Return a plan as JSON has it, with what is left out and the least privileges."""
    return {
        "url": url_of(seen),
        "actions": [shown_action(one) for one in actions],
        "left_out": [
            {"message": message, "table": name, "why": why.value}
            for (message, name), why in seen.wanted.left_out.items()
        ],
        "other_endpoints": list(seen.neighbours),
        "privileges": [one.name for one in PRIVILEGES],
    }


def plan_text(seen: Look, actions: Sequence[Action]) -> str:
    """Return a plan in words."""
    parts = [actions_text(actions)]
    for why in LeftOut:
        left = [f"{m} of {t}" for (m, t), one in seen.wanted.left_out.items() if one is why]
        if left:
            parts.append(f"Without a step of their own: {', '.join(left)}. {why.doc}")
    if seen.neighbours:
        parts.append(
            "Others post to the same address, so that each edit is told twice; remove those that "
            f"are not needed: {', '.join(seen.neighbours)}."
        )
    parts.append("`mailbox-guard dataverse role` lists the privileges that this needs.")
    return "\n".join(parts)


def actions_text(actions: Sequence[Action]) -> str:
    """Return actions as a table."""
    if not actions:
        return "Nothing has to be written."
    rows = [
        (
            one.verb.value,
            one.part.value,
            one.title + (" (with the key)" if one.sends_key else ""),
            "; ".join(deviation.detail for deviation in one.because),
        )
        for one in actions
    ]
    return table(("do", "what", "which", "because"), rows)


def _shown_deviation(one: Deviation, kind: str) -> dict[str, Any]:
    return {
        "state": kind,
        "part": one.part.value,
        "kind": one.kind.value,
        "subject": one.subject,
        "title": one.title,
        "column": one.column,
        "wanted": one.wanted,
        "found": one.found,
        "text": one.text,
    }


def shown_status(seen: Look) -> dict[str, Any]:
    """Return what stands there as JSON has it."""
    found, known = seen.assessment, seen.known
    pause = found.pause
    return {
        "registered": known is not None,
        "finished": known is not None and known.is_finished,
        "url": url_of(seen),
        "steps": len(seen.found.steps),
        "by": None if known is None else known.by,
        "at": None if known is None else known.at.isoformat(),
        "differences": [
            _shown_deviation(one, kind)
            for kind, several in (
                ("differs", found.deviations),
                ("outdated", found.outdated),
                ("accepted", found.accepted),
            )
            for one in several
        ],
        "pause": None
        if pause is None
        else {"until": pause.until.isoformat(), "by": pause.by, "reason": pause.reason},
        "suspected_at": None
        if known is None or known.suspected_at is None
        else known.suspected_at.isoformat(),
    }


def status_text(seen: Look) -> str:
    """Return what stands there in words."""
    found, known = seen.assessment, seen.known
    lines = []
    if known is not None:
        lines.append(f"Registered at {known.url} by {known.by}, {known.at:%Y-%m-%d %H:%M} UTC.")
    rows = [
        (kind, one.part.value, one.title, one.detail)
        for kind, several in (
            ("differs", found.deviations),
            ("outdated", found.outdated),
            ("accepted", found.accepted),
        )
        for one in several
    ]
    if rows:
        lines.append(table(("state", "what", "which", "how"), rows))
    if found.pause is not None:
        lines.append(
            f"{found.pause.by} has paused the synchronous steps until "
            f"{found.pause.until:%Y-%m-%d %H:%M} UTC: {found.pause.reason}"
        )
    if found.overdue:
        lines.append(
            f"A pause of {counted(len(found.overdue), 'step')} is over and they are still off: "
            "`mailbox-guard dataverse resume`."
        )
    lines += [text for text in told_of(known) if known is not None and known.suspected_at]
    if is_clean(seen):
        lines.append("Everything stands as it was registered.")
    return "\n".join(lines)


def shown_steps(steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Return steps as JSON has them."""
    return [{"id": one.id, "title": one.title} for one in steps]


def steps_text(steps: Sequence[Step]) -> str:
    """Return the titles of steps, one a line."""
    return "\n".join(one.title for one in steps)


def url_of(seen: Look) -> str:
    """Return the address that is wanted."""
    endpoint = seen.wanted.registration.endpoint
    return endpoint.url if endpoint is not None else ""
