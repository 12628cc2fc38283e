"""A change that nobody made, decided by the policies of today. Nothing of it is recorded."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from console.readings.again import told
from kernel.errors import InputRefused
from rules.engine.policy_set import PolicySet
from rules.explain.explain import explain
from rules.testing.document import KEYS, DocumentReader

_MOST_TOLD: Final = 20


class TrialUnreadable(InputRefused):
    """A change to be tried names what the catalogue does not know; `context` tells each place."""

    code = "trial-unreadable"


def tried(document: Mapping[str, Any], policy_set: PolicySet, *, now: datetime) -> dict[str, Any]:
    """Return the decision on a change written as in a policy test, and why: as `policy explain`.

    The document is what `policy check` reads: operation, entity, old, new, actor, facts. Raises
    TrialUnreadable with every problem.
    """
    unknown = sorted(set(document) - set(KEYS))
    reader = DocumentReader(policy_set.catalogue)
    given = reader.read(document)
    problems = [(f"`{name}` is no part of a change", name) for name in unknown]
    problems += [(one.text, one.path) for one in reader.problems]
    if problems:
        raise TrialUnreadable(
            f"The change can't be tried: {problems[0][0]}.",
            hint=f"A change has {', '.join(KEYS)}; `policy fields` lists what these may name.",
            problems=[{"at": path, "detail": text} for text, path in problems[:_MOST_TOLD]],
        )
    explanation = explain(given.change, policy_set, given.facts, now=given.now or now)
    return told(explanation, policy_set)
