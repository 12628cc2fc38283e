"""What of a change may be put before a person: pure.

Whoever holds the webhook key chooses every value of a delivery, and whose edit it is said to be. So
a notice shows of a value what can be an address, a name in one word, a number or an id. A sentence,
a link or a lookalike of one is not shown, and nobody writes to people through the guard.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from rules.model.change import Change, Facts, Value

NOT_SHOWN = "…"
# One word without a slash, a colon or a bracket: no programme makes a link to a page of it.
_WORD = re.compile(r"[\w.+'-]{1,64}(@[\w.-]{1,255})?")
_MOST_LIST = 5
# What reads as the name of a website where no address is meant.
_SITE = re.compile(r"www\.|.*\.(com|net|org|io|info|link|app|ru|cn)\b", re.IGNORECASE)


def cleaned(value: Value) -> Value:
    """Return the value if it may be shown, else three dots; numbers, moments and nothing stay."""
    if isinstance(value, str):
        return value if not value or _may_be_shown(value) else NOT_SHOWN
    if isinstance(value, tuple):
        return tuple(cleaned(one) for one in value[:_MOST_LIST])
    return value


def _may_be_shown(text: str) -> bool:
    if not _WORD.fullmatch(text):
        return False
    return "@" in text or not _SITE.match(text)


def cleaned_change(change: Change) -> Change:
    """Return a change of which every text may be shown."""
    return replace(
        change,
        before=_all_cleaned(change.before),
        after=_all_cleaned(change.after),
        request=_all_cleaned(change.request),
    )


def cleaned_facts(facts: Facts) -> Facts:
    """Return facts of which every text may be shown: people write those, too."""
    return Facts(_all_cleaned(facts.values), facts.missing)


def _all_cleaned(values: Mapping[str, Value]) -> dict[str, Value]:
    return {name: cleaned(value) for name, value in values.items()}
