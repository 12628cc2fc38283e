"""The plan of a page of incoming mail: what to remember and what to do, before anything is done.

Pure: no clock, no I/O. `base` is what both sides last agreed on (the known links), `left` what
Exchange says (the entries of a page), `right` what is wanted in Dataverse (the verdicts). Entries
may repeat, in any order, and pages may be replayed: a known item is never planned twice.

Source: Graph's delta query overview (repeats, disorder, `@removed`); laws 6 and 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sync.mail.item import MailItem
from sync.model.item import UnreadableEntry, present
from sync.model.link import ItemPlace, Link, LinkState
from sync.model.plan import Intent, IntentKind, Plan, SetAside
from sync.model.verdict import Fate, Verdict


def plan(
    base: Mapping[str, Link],
    left: Sequence[MailItem | UnreadableEntry],
    right: Mapping[str, Verdict],
) -> Plan:
    """Return what to remember and to do for a page.

    A known item stays as it is: a mail's content never changes. Only the row of one that is set
    aside is wanted again, for a change may have mended it. `@removed` says only that an item left
    the folder, so it is verified. A draft is never tracked. An item without a verdict is set
    aside: the cursor may pass it only because that row is durable.
    """
    links: dict[str, Link] = {}
    verdicts: dict[str, Verdict] = {}
    intents: dict[Intent, None] = {}
    set_aside: dict[str, SetAside] = {}
    known: dict[str, None] = {}
    for entry in left:
        if isinstance(entry, UnreadableEntry):
            set_aside[entry.item_id] = SetAside(entry.item_id, entry.reason)
    for item in present(left).values():
        link = base.get(item.item_id)
        if link is not None:
            known[item.item_id] = None
            if link.place is not ItemPlace.HERE:
                links[item.item_id] = replace(link, place=ItemPlace.HERE)
            if link.state is LinkState.SET_ASIDE:
                intents[Intent(IntentKind.CREATE, item.item_id, item.version)] = None
            continue
        verdict = right.get(item.item_id)
        if verdict is None:
            set_aside[item.item_id] = SetAside(item.item_id, "No verdict could be reached.")
            continue
        if item.is_draft and verdict.fate is not Fate.SKIP:
            verdict = Verdict(Fate.SKIP, "draft")
        verdicts[item.item_id] = verdict
        if verdict.fate is Fate.SKIP:
            continue
        links[item.item_id] = Link(
            item.item_id,
            shared_id=item.shared_id,
            is_metadata_only=verdict.fate is Fate.METADATA_ONLY,
        )
        intents[Intent(IntentKind.CREATE, item.item_id, item.version)] = None
    for entry in left:
        if (
            isinstance(entry, MailItem)
            and entry.removed
            and _may_be_gone(base, links, entry.item_id)
        ):
            intents[Intent(IntentKind.VERIFY, entry.item_id)] = None
    return Plan(
        links=tuple(links.values()),
        verdicts=tuple(verdicts.items()),
        intents=tuple(intents),
        set_aside=tuple(set_aside.values()),
        known=tuple(known),
    )


def _may_be_gone(base: Mapping[str, Link], planned: Mapping[str, Link], item_id: str) -> bool:
    link = planned.get(item_id) or base.get(item_id)
    return link is not None and link.place is not ItemPlace.GONE
