"""Which decisions somebody asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final

from sqlalchemy import Connection, Select, or_, select

from guard.columns.compare import is_equal
from guard.columns.table import TABLES
from guard.errors import DecisionAmbiguous, DecisionUnknown
from guard.ledger import stated as said
from guard.ledger.codec import text_of
from guard.ledger.entry import Recorded
from guard.ledger.people import find_ids
from guard.ledger.reading import WHOLE
from guard.ledger.replay import find_set
from guard.ledger.tables import decisions, policy_sets
from kernel.errors import InputRefused
from kernel.ids import first_id
from rules.operators.fields import fold

LEAST_DIGITS: Final = 4
_SETS_SEARCHED: Final = 20
_MOST_IDS: Final = 20
_START: Final = re.compile(r"[0-9a-f][0-9a-f-]*\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionFilter:
    """Which decisions are asked for; what is None leaves out none.

    `record` is an id or its first characters, `actor` that, a sign-in name or a name, `address` one
    that the row had before or after. `since` and `until` are moments, `until` not included.
    """

    since: datetime | None = None
    until: datetime | None = None
    decision: str | None = None
    table: str | None = None
    record: str | None = None
    rule: str | None = None
    actor: str | None = None
    address: str | None = None


ALL: Final = DecisionFilter()


def selected(wanted: DecisionFilter) -> Select[Any]:
    """Return the statement that reads what may fit, newest first; `Fits` has the last word."""
    statement = select(*WHOLE).order_by(decisions.c.id.desc())
    if wanted.since is not None:
        # Ids never run behind the clock, so that an index finds where to stop.
        statement = statement.where(
            decisions.c.decided_at >= wanted.since, decisions.c.id >= first_id(wanted.since)
        )
    if wanted.until is not None:
        statement = statement.where(decisions.c.decided_at < wanted.until)
    if wanted.decision is not None:
        statement = statement.where(decisions.c.decision == wanted.decision)
    if wanted.table is not None:
        statement = statement.where(decisions.c.table_name == wanted.table)
    if wanted.record is not None:
        start, record_id = id_start(wanted.record) or wanted.record, decisions.c.record_id
        statement = statement.where(or_(record_id == start, _begins_with(record_id, start)))
    if wanted.rule is not None:
        rule = text_of(wanted.rule)[1:-1]
        public = decisions.c.public
        statement = statement.where(
            or_(
                public.contains(f'"{rule}"', autoescape=True),
                public.contains(f'"{rule}/', autoescape=True),
            )
        )
    if wanted.address is not None and wanted.address.isascii():
        # Whoever looks for an address need not read every record: it stands in the private text.
        text = text_of(wanted.address.strip())[1:-1]
        statement = statement.where(decisions.c.private.icontains(text, autoescape=True))
    return statement


class Fits:
    """Tells whether a decision fits what the columns of its table cannot tell."""

    def __init__(self, connection: Connection, wanted: DecisionFilter) -> None:
        self._wanted = wanted
        self._actor_ids = set(find_ids(connection, wanted.actor)) if wanted.actor else set()

    @property
    def is_any(self) -> bool:
        """Return whether the columns tell everything."""
        wanted = self._wanted
        return (wanted.rule, wanted.actor, wanted.address) == (None, None, None)

    def narrowed(self, statement: Select[Any]) -> Select[Any]:
        """Return the statement for fewer rows, none of them left out that fits the actor.

        Reading a record costs a hundred times what the database needs to pass it by.
        """
        actor = self._wanted.actor
        if actor is None or not actor.isascii() or len(self._actor_ids) > _MOST_IDS:
            return statement
        starts = {*self._actor_ids, *filter(None, [id_start(actor)])}
        by = [
            decisions.c.public.contains(f'"initiating_user_id":"{one}', autoescape=True)
            for one in sorted(starts)
        ]
        name = text_of(actor.strip())
        facts = decisions.c.private.icontains(f'"actor.upn":{name}', autoescape=True)
        return statement.where(or_(*by, facts))

    def __call__(self, stated: Recorded) -> bool:
        """Return whether the decision fits."""
        wanted = self._wanted
        if wanted.rule is not None and not said.has_rule(stated, wanted.rule):
            return False
        if wanted.actor is not None and not self._is_by(stated, wanted.actor):
            return False
        if wanted.address is None:
            return True
        return any(is_equal(one, wanted.address.strip()) for one in said.address(stated).values())

    def _is_by(self, stated: Recorded, actor: str) -> bool:
        acted, upn, start = said.actor_id(stated) or "", said.actor_upn(stated), id_start(actor)
        return (
            acted in self._actor_ids
            or (start is not None and acted.startswith(start))
            or (upn is not None and fold(upn) == fold(actor.strip()))
        )


def refuse_misspelt(connection: Connection, wanted: DecisionFilter) -> None:
    """Raise InputRefused for a filter that nothing can fit: no decision would look like an answer.

    What could be spelt so and merely has no decision is no mistake.
    """
    if wanted.table is not None and wanted.table not in TABLES:
        about = select(decisions.c.id).where(decisions.c.table_name == wanted.table).limit(1)
        if connection.scalar(about) is None:
            raise _unknown("table", wanted.table, sorted(TABLES))
    if wanted.record is not None and id_start(wanted.record) is None:
        raise InputRefused(
            f"`{wanted.record}` is no id of a record.",
            hint=f"Give the id, or its first {LEAST_DIGITS} characters or more.",
        )
    if wanted.address is not None and "@" not in wanted.address:
        raise InputRefused(f"`{wanted.address}` is no address.", hint="Give it whole.")
    if wanted.since is not None and wanted.until is not None and wanted.since >= wanted.until:
        raise InputRefused("--since is not before --until.", hint="Exchange them.")
    actor = wanted.actor
    is_name = actor is not None and id_start(actor) is None and "@" not in actor
    if actor is not None and is_name and not find_ids(connection, actor):
        raise InputRefused(
            f"No user that the guard knows is called `{actor}`.",
            hint="Give a sign-in name such as anna@contoso.com, or the beginning of an id.",
        )
    if wanted.rule is not None:
        _refuse_unknown_rule(connection, wanted.rule)


def find_id(connection: Connection, start: str) -> str:
    """Return the id of the decision that begins so.

    Raises DecisionUnknown when no decision's does, DecisionAmbiguous when several do.
    """
    wanted, ids = id_start(start), list[str]()
    if wanted is not None:
        chosen = select(decisions.c.id).where(_begins_with(decisions.c.id, wanted))
        ids = list(connection.scalars(chosen.order_by(decisions.c.id).limit(3)))
    if len(ids) == 1:
        return ids[0]
    if not ids:
        raise DecisionUnknown(
            f"No decision has the id {start}.",
            hint="`mailbox-guard decisions list` shows the ids; their first characters are enough.",
        )
    several = ", ".join(ids[:2]) + (" and more" if len(ids) > 2 else "")
    raise DecisionAmbiguous(
        f"Several decisions have ids that begin with {start}: {several}.",
        hint="Give more of the id.",
    )


def id_start(text: str) -> str | None:
    """Return the beginning of an id as ids are stored; None for what no id begins with."""
    digits = text.strip("{} ").lower()
    return digits if len(digits) >= LEAST_DIGITS and _START.match(digits) else None


def _begins_with(column: Any, start: str) -> Any:
    # The range lets an index find it, since no digit of an id sorts behind f.
    return (column >= start) & (column < f"{start}g") & column.startswith(start, autoescape=True)


def _refuse_unknown_rule(connection: Connection, rule: str) -> None:
    newest = select(policy_sets.c.digest).order_by(policy_sets.c.stored_at.desc())
    known: set[str] = set()
    for digest in connection.scalars(newest.limit(_SETS_SEARCHED)).all():
        stored = find_set(connection, digest)
        for policy in stored.policies if stored is not None else ():
            known.add(policy.name)
            for table in policy.tables.values():
                known.update(f"{policy.name}/{one.id}" for one in table.rules)
        if rule in known:
            return
    about = select(decisions.c.id).where(decisions.c.public.contains(rule, autoescape=True))
    if connection.scalar(about.limit(1)) is None:
        raise _unknown("policy or rule", rule, sorted(known))


def _unknown(what: str, given: str, known: list[str]) -> InputRefused:
    near = get_close_matches(given, known, 3)
    if near:
        return InputRefused(f"No {what} is called `{given}`.", hint=f"Known: {', '.join(near)}.")
    return InputRefused(
        f"No {what} is called `{given}`.",
        hint=f"Known are {', '.join(known[:8])}." if known else "Nothing was decided by it so far.",
    )
