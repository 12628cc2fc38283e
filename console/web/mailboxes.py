"""*Mailboxes*: what is held of each, on what evidence, who reached it, and what to tell it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import Final
from urllib.parse import quote, urlencode

from sqlalchemy import Connection

from console.readings.brakes import list_stops, release
from console.web.page import Act, ConsolePage, FieldUnusable, Onward, PageVisit, Shown, View
from console.web.values import flattened
from kernel import approvals
from kernel.brake import BRAKES, Release
from kernel.errors import Conflict, GuardError, NotFound
from kernel.principal import AppRole
from kernel.stops import RELEASED
from sync.errors import MailboxAmbiguous, MailboxUnknown
from sync.operate import mailboxes
from sync.operate.chains import list_chains
from sync.store.tables import SyncState

SHOWN: Final = 50
ACCESSES: Final = 50
MOST_REASON: Final = 500
_STATES_SECONDS = 30.0
TONES: Final[Mapping[SyncState, str]] = {
    SyncState.SYNCED: "good",
    SyncState.WAITING: "calm",
    SyncState.MICROSOFT_SYNC: "calm",
    SyncState.WITHDRAWN: "calm",
    SyncState.PAUSED: "warn",
    SyncState.THROTTLED: "warn",
    SyncState.RESTING: "warn",
    SyncState.FAILING: "bad",
    SyncState.LOOPING: "bad",
    SyncState.BRAKE: "bad",
}
_HERE = "/mailboxes"
# What evidence is called where it is kept, and what people read.
_EVIDENCE: Final = {
    "approved_by": "Approved in Dataverse by the user",
    "decision_id": "Decision that allowed it",
    "etag": "Version of the row",
    "object_mail": "Mail address of the object in Entra",
    "object_upn": "Sign-in name of the object in Entra",
    "owner_object_id": "Owner's object in Entra",
    "owner_upn": "Owner's sign-in name",
    "policy_set": "Policies that it was judged by",
    "read_at": "Row read",
}


async def show_all(visit: PageVisit) -> Shown | Onward:
    """Show mailboxes by their ids, those of a state, or those whose address holds some letters."""
    wanted, state = visit.query.get("q", "").strip()[:200], _state_in(visit.query)
    if wanted:
        with suppress(MailboxUnknown, MailboxAmbiguous):
            now = visit.parts.clock.now()
            one = await visit.read(lambda c: mailboxes.show_mailbox(c, wanted, now=now))
            return Onward(f"{_HERE}/{one['id']}")

    place = visit.query.get("after", "")[:100] or None
    if state is None:
        ids = await visit.read(
            lambda c: approvals.list_ids(c, holding=wanted, after=place, limit=SHOWN + 1)
        )
    else:
        ids = await _ids_of_state(visit, state, wanted, place)
    now = visit.parts.clock.now()
    found = await visit.read(lambda c: mailboxes.some_mailboxes(c, ids[:SHOWN], now=now))
    after = ids[SHOWN - 1] if len(ids) > SHOWN else None
    kept = {"q": wanted, "state": state.value if state is not None else ""}
    return Shown(
        "mailboxes.html",
        {
            "mailboxes": found,
            "counts": (await visit.parts.gauges()).mailboxes.by_state,
            "tones": TONES,
            "wanted": wanted,
            "state": state,
            "next": f"{_HERE}?{urlencode({**kept, 'after': after})}" if after else None,
        },
    )


async def show_one(visit: PageVisit) -> Shown:
    """Show everything that is held of one mailbox. Raises MailboxUnknown, MailboxAmbiguous."""
    now, name = visit.parts.clock.now(), visit.path["id"]
    one = await visit.read(lambda c: mailboxes.show_mailbox(c, name, now=now))
    before = _number(visit.query.get("before"))
    accesses = await visit.read(
        lambda c: mailboxes.list_access(c, one["id"], before=before, limit=ACCESSES + 1)
    )
    more = len(accesses) > ACCESSES
    return Shown(
        "mailbox.html",
        {
            "mailbox": one,
            "tone": TONES[SyncState(one["state"])],
            "doc": SyncState(one["state"]).doc,
            "evidence": [(_EVIDENCE.get(n, n), told) for n, told in flattened(one["evidence"])],
            "streams": await visit.read(lambda c: list_chains(c, one["id"])),
            "accesses": accesses[:ACCESSES],
            "older": accesses[ACCESSES - 1]["id"] if more else None,
            "may_act": visit.may(AppRole.OPERATOR),
            "may_resume": visit.may(AppRole.OPERATOR, gives=True),
            "is_resting": SyncState(one["state"]) in (SyncState.PAUSED, SyncState.BRAKE),
        },
    )


async def show_brakes(visit: PageVisit) -> Shown:
    """Show what brakes have stopped, and whose word lets it go on."""
    found = await visit.read(list_stops)
    state = await visit.parts.state()
    return Shown(
        "brakes.html",
        {
            "brakes": [
                {
                    **one,
                    "counts": BRAKES[one["brake"]].counts if one["brake"] in BRAKES else "",
                    "goes_on": one["brake"] in BRAKES
                    and BRAKES[one["brake"]].release is Release.GO_ON,
                }
                for one in state["brakes"]
            ],
            "stops": found,
            "may_release": visit.may(AppRole.OPERATOR, gives=True),
        },
    )


async def pause(visit: PageVisit) -> Onward:
    """Let the mailbox rest; comes back when no further access can begin."""
    record_id, reason = visit.path["id"], visit.written("reason", most=MOST_REASON)
    parts = visit.parts
    await mailboxes.pause(parts.database, parts.clock, record_id, by=visit.principal, reason=reason)
    return Onward(_path(record_id), "paused")


async def resume(visit: PageVisit) -> Onward:
    """End a pause or a brake, and try again what is set aside or has stopped."""
    parts, record_id = visit.parts, visit.path["id"]
    is_approved = await mailboxes.resume(parts.database, parts.clock, record_id, by=visit.principal)
    return Onward(_path(record_id), "resumed" if is_approved else "resumed-unapproved")


async def withdraw(visit: PageVisit) -> Onward:
    """Withdraw the approval; comes back when no further access can begin."""
    parts, record_id = visit.parts, visit.path["id"]
    reason = visit.written("reason", most=MOST_REASON)
    was_approved = await mailboxes.withdraw(
        parts.database, parts.clock, record_id, by=visit.principal.name, reason=reason
    )
    # The word must outlast a database that is restored; the next round writes it in any case.
    with suppress(GuardError):
        await parts.anchor()
    return Onward(_path(record_id), "withdrawn" if was_approved else "withdrawn-before")


async def release_brake(visit: PageVisit) -> Onward:
    """Let everything go on that a brake has stopped. Raises NotFound, Conflict."""
    name, now = visit.path["name"], visit.parts.clock.now()
    if name not in BRAKES or BRAKES[name].release is not Release.GO_ON:
        raise NotFound(f"No brake is called {name} that is released here.")
    found = await visit.parts.database.write(
        lambda c: release(c, name, by=visit.principal, now=now), failpoint=RELEASED
    )
    if not found:
        raise Conflict(f"The brake {name} has stopped nothing that waits for a word.")
    return Onward(f"{_HERE}/brakes", "released")


async def _ids_of_state(
    visit: PageVisit, state: SyncState, wanted: str, after: str | None
) -> list[str]:
    """Return the ids of one page and one more, of those in a state.

    A state is made of several tables, so that all mailboxes are looked through: once for all who
    ask, and no more often than twice a minute.
    """
    now = visit.parts.clock.now()

    def read(connection: Connection) -> dict[SyncState, list[tuple[str, str]]]:
        found: dict[SyncState, list[tuple[str, str]]] = defaultdict(list)
        for one in mailboxes.list_mailboxes(connection, now=now):
            found[one["state"]].append((one["id"], str(one["address"]).lower()))
        return found

    every = await visit.parts.kept.get("mailboxes", _STATES_SECONDS, lambda: visit.read(read))
    fitting = (
        record_id
        for record_id, address in every.get(state, [])
        if wanted.lower() in address and (after is None or record_id > after)
    )
    return list(islice(fitting, SHOWN + 1))


def _state_in(query: Mapping[str, str]) -> SyncState | None:
    word = query.get("state", "")
    try:
        return SyncState(word) if word else None
    except ValueError:
        raise FieldUnusable(f"No mailbox is in a state {word[:40]}.") from None


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise FieldUnusable("The place in the list is no number.")
    return int(text)


def _path(record_id: str) -> str:
    return f"{_HERE}/{quote(record_id, safe='')}"


PAGE = ConsolePage(
    "Mailboxes",
    _HERE,
    views=(
        View(_HERE, show_all),
        View(f"{_HERE}/brakes", show_brakes),
        View(f"{_HERE}/{{id}}", show_one),
    ),
    acts=(
        Act(f"{_HERE}/{{id}}/pause", pause, AppRole.OPERATOR),
        Act(f"{_HERE}/{{id}}/withdraw", withdraw, AppRole.OPERATOR),
        Act(f"{_HERE}/{{id}}/resume", resume, AppRole.OPERATOR, gives=True),
        Act(f"{_HERE}/brakes/{{name}}/release", release_brake, AppRole.OPERATOR, gives=True),
    ),
    said={
        "paused": "The mailbox rests; no further access can begin.",
        "resumed": "The mailbox is resumed; its next visit comes by itself.",
        "resumed-unapproved": "The mailbox is resumed, but it is not approved: it is not synced.",
        "withdrawn": "The approval is withdrawn; no further access can begin.",
        "withdrawn-before": "The mailbox was not approved. Your word is remembered all the same: "
        "only a newer approval in Dataverse ends it.",
        "released": "The guard goes on with these; until it has, their mailboxes rest.",
    },
)
