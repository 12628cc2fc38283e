"""Where recorded decisions come from: the ledger of the settings, or files of exported lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rules.policy_set import PolicySet
    from rules.recorded import PastDecision

_ID = re.compile(r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}")


def looks_like_id(text: str) -> bool:
    """Tell whether a text can be the id of a decision."""
    return _ID.fullmatch(text) is not None


def find_recorded(ctx: click.Context, decision_id: str) -> tuple[PastDecision, PolicySet | None]:
    """Return one decision of the ledger, with the policy set that was stored with it."""
    from console.context import open_prepared, settings_of
    from guard.ledger.replaying import find_past, find_set

    with open_prepared(settings_of(ctx)) as database:
        past = database.read_now(lambda c: find_past(c, decision_id))
        return past, database.read_now(lambda c: find_set(c, past.policy_set))
