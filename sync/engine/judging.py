"""Judging items: the workload's own verdict, unless an enforced policy says otherwise.

The strongest verdict wins: skip > metadata-only > track. What could not be judged is not copied
(law 1), and not forgotten either: where a rule of a strict policy errs, and no other keeps the item
out for good, the item is set aside and judged again later.

Nothing is looked up for a verdict: a rule that reads a fact (`actor…`, `request…`) errs. Policies
of mode `warn` and `audit` change nothing here, so they are not asked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kernel.clock import Clock
from rules.engine.policy_set import PolicySet
from rules.engine.verdict import MessageVerdict, judge_message
from rules.model.change import NO_FACTS, Change
from sync.engine.workload import Content, Workload
from sync.errors import ItemUnjudged
from sync.model.verdict import Fate, Verdict

CurrentPolicies = Callable[[], PolicySet]
"""Returns the policy set that decides now; it is asked anew for each page."""


class ContentPolicies:
    """The policies on what items hold; without a policy set every workload decides alone."""

    def __init__(self, clock: Clock, current: CurrentPolicies | None = None) -> None:
        self._clock = clock
        self._current = current

    def judge_for(self, workload: Workload[Any]) -> ContentJudge | None:
        """Return what judges the items of a workload; None where no enforced policy is on them."""
        entity = workload.entity
        if self._current is None or entity is None:
            return None
        policies = self._current()
        if not any(one.mode == "enforce" and entity in one.tables for one in policies.policies):
            return None
        return ContentJudge(workload, entity, policies, self._clock)


class ContentJudge:
    """Judges the items of one workload by one policy set."""

    def __init__(
        self, workload: Workload[Any], entity: str, policies: PolicySet, clock: Clock
    ) -> None:
        self._workload = workload
        self._entity = entity
        self._policies = policies
        self._clock = clock

    def verdict(
        self, item_id: str, content: Content, otherwise: Verdict, *, folder: str, address: str
    ) -> Verdict:
        """Return the verdict on an item that was read whole; `otherwise` when no rule objects.

        Raises ItemUnreadable when its fields cannot be understood, and ItemUnjudged when a rule
        errs and none that was evaluated keeps the item out.
        """
        fields = self._workload.fields(content, address=address, folder=folder)
        # An item stands as the creation of a record of its entity.
        change = Change(self._entity, "create", item_id, before={}, after=fields)
        judged = judge_message(change, self._policies, NO_FACTS, now=self._clock.now())
        return otherwise if judged.fate is Fate.TRACK else _verdict_of(judged)


def _verdict_of(judged: MessageVerdict) -> Verdict:
    # The rule's own message may quote the item, which for a skipped one is to stay where it is.
    for finding in judged.contributing:
        if finding.result != "error":
            return Verdict(judged.fate, f"Rule {finding.id} says {judged.fate}.", finding.id)
    [finding, *_] = judged.contributing
    raise ItemUnjudged(
        f"Rule {finding.id} could not be evaluated.",
        hint="`mailbox-guard policy test` shows why, with a test of such a mail.",
    )
