"""A refused decision becomes the words of a notice: pure.

What it names: the thing, the reason and the mend, who can help, and the decision. What it never
holds: a value that could be a text of somebody's choosing, an error's own words (they may speak of
what the person can't see), and any address of a page but our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from guard.columns.table import TABLES
from guard.notices.cleaning import cleaned_change, cleaned_facts
from guard.notices.frames import Frame, frame_in
from guard.notices.notice import MOST_BODY, MOST_TITLE, Notice, NoticeLink
from rules.engine.policy_set import PolicySet
from rules.model.change import Change, Facts
from rules.policy.messages import compile_message

# More reasons than these would push out the mend.
MOST_REASONS: Final = 2
_MOST_REASON: Final = 220
_MOST_CONTACT: Final = 80


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a change was refused, in words that may be shown: the message, the mend, who helps."""

    message: str
    help: str | None = None
    contact: str | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """Where notices lead, and who helps where no policy says so; each None where not configured."""

    console_url: str | None = None
    contact: str | None = None


def reasons_of(
    change: Change,
    facts: Facts,
    policy_set: PolicySet,
    rules: Sequence[str],
    *,
    language: str | None = None,
) -> list[Reason]:
    """Return the reasons of those rules, with the values of the change as far as may be shown.

    In that language where a policy has it, else in the policy's own.
    """
    shown, known = cleaned_change(change), cleaned_facts(facts)
    wanted = frozenset(rules)
    found = []
    for policy in policy_set.candidates(change).policies:
        for rule in policy.rules:
            if rule.id in wanted:
                wording = rule.rule.wording_in(language)
                message = compile_message(wording.message)(shown, known)
                found.append(Reason(message, wording.help, policy.policy.contact or None))
    return found


def own_reasons(findings: Sequence[Mapping[str, Any]]) -> list[Reason]:
    """Return the reasons that a law of the guard itself gave: texts of ours, without values."""
    return [Reason(str(one["message"]), one.get("help")) for one in findings]


def notice_of(
    *,
    decision_id: str,
    person_id: str,
    table: str,
    record_id: str,
    is_hold: bool,
    is_new: bool,
    reasons: Sequence[Reason],
    untold: int = 0,
    language: str | None = None,
    places: Places,
) -> Notice:
    """Return the notice; without reasons it says that the change could not be judged.

    `is_new` says that the row was never made, so that there is none to open. `untold` is how many
    refusals the person was not told of before.
    """
    frame = frame_in(language)
    thing = frame.things[TABLES[table].owner_type]
    title = (frame.held if is_hold else frame.rejected).format(thing=thing)
    links = [] if is_new else [_row_link(frame, table, record_id)]
    if places.console_url:
        url = f"{places.console_url.rstrip('/')}/decisions/{decision_id}"
        links.append(NoticeLink(frame.open_decision, url))
    return Notice(
        decision_id,
        person_id,
        is_hold,
        title[:MOST_TITLE],
        _body(frame, decision_id, is_hold, reasons, untold, places),
        tuple(links),
    )


def _body(
    frame: Frame,
    decision_id: str,
    is_hold: bool,
    reasons: Sequence[Reason],
    untold: int,
    places: Places,
) -> str:
    contact = next((one.contact for one in reasons if one.contact), places.contact)
    # The end must be there whole: by it the notice is found again, and a person asks about it.
    end = [frame.contact.format(contact=_cut(contact, _MOST_CONTACT))] if contact else []
    if untold:
        end.append(frame.untold.format(count=untold))
    end.append(frame.decision.format(id=decision_id))
    begin = [_cut(one.message, _MOST_REASON) for one in reasons[:MOST_REASONS]]
    if not reasons:
        begin.append(frame.undecided)
    if is_hold:
        begin.append(frame.hold)
    begin += [one.help for one in reasons[:MOST_REASONS] if one.help]
    last = " ".join(end)
    first = _cut(" ".join(dict.fromkeys(begin)), MOST_BODY - len(last) - 1)
    return f"{first} {last}"


def _row_link(frame: Frame, table: str, record_id: str) -> NoticeLink:
    # Relative to the app in which the notice is read: Dataverse itself asks who may open it.
    return NoticeLink(frame.open_row, f"?pagetype=entityrecord&etn={table}&id={record_id}")


def _cut(text: str, most: int) -> str:
    plain = " ".join(text.split())
    return plain if len(plain) <= most else plain[: most - 1].rstrip() + "…"
