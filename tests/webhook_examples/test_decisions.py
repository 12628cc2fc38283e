"""What the shipped policies say of every readable example, with facts from the tenant's twins.

The webhook itself is not involved: whatever it answers without asking the rules (wrong key,
stripped, foreign, not guarded) is shown against a real server elsewhere.
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from guard.errors import Unreadable
from guard.facts.actor import ActorFacts
from guard.facts.gather import Gatherer
from guard.facts.owner import AddressOwnerFacts, OwnerFacts
from guard.facts.question import Question
from guard.judge import OWNER_ROOT, may_be_deferred
from guard.ledger.entry import MirrorRow
from guard.own import Own
from guard.receive.ancestors import ancestors_of
from guard.receive.change import change_from
from guard.receive.delivery import is_guarded, read_delivery
from rules.decide import decide
from rules.decision import Decision, set_aside
from rules.loader import load
from rules.needs import needs
from rules.shipped import shipped_folder
from tests.webhook_examples.examples import Example, all_examples, tenant
from tests.webhook_examples.world import GUARD_USER, a_directory, rows

NOW = datetime(2026, 11, 7, tzinfo=UTC)
# These depend on what the guard remembers of earlier deliveries, or on no rule at all.
BY_OTHER_MEANS = {"foreign", "stripped", "identical-delivery", "law-of-the-guard"}
AFTER_A_TEST = "17-mailbox-approved-after-test-and-enable"


def _is_for_the_rules(example: Example) -> bool:
    if example.expected.status not in {200, 403} or BY_OTHER_MEANS & set(example.shows):
        return False
    if example.expected.cause == "undecidable":
        return False
    delivery = read_delivery(example.body)
    return is_guarded(delivery.table, delivery.message) and example.name != AFTER_A_TEST


UNDECIDABLE = [one for one in all_examples() if one.expected.cause == "undecidable"]
JUDGED = [example for example in all_examples() if _is_for_the_rules(example)]


async def _nothing_mirrored(table: str, record_id: str) -> MirrorRow | None:
    return None


@pytest.fixture(scope="module")
def gatherer() -> Gatherer:
    directory, dataverse = a_directory(), rows()
    own = Own(organization_id=tenant()["organization"]["id"], user_id=GUARD_USER)
    role = tenant()["delegated_approver_role"]
    return Gatherer(
        actor=ActorFacts(dataverse, directory, own, delegated_role_id=role),
        owner=OwnerFacts(dataverse, directory, _nothing_mirrored),
        address_owner=AddressOwnerFacts(directory),
    )


async def _decision(example: Example, gatherer: Gatherer) -> tuple[Decision, tuple[str, ...]]:
    """The decision of the rules, and the rules that wait for the owner's row."""
    delivery = read_delivery(example.body)
    change = change_from(delivery)
    policies = load(shipped_folder(), now=NOW)
    needed = needs(change, policies)
    question = Question(
        change=change,
        needed=needed,
        actor_id=delivery.initiating_user_id,
        is_synchronous=delivery.is_synchronous,
        ancestors=ancestors_of(delivery),
    )
    facts = (await gatherer.gather(question)).facts(needed)
    decision = decide(change, policies, facts, now=NOW)
    if delivery.is_synchronous and may_be_deferred(change, facts):
        return set_aside(decision, (OWNER_ROOT,))
    return decision, ()


@pytest.mark.parametrize("example", UNDECIDABLE, ids=[example.name for example in UNDECIDABLE])
def test_an_undecidable_example_says_so_before_any_rule_is_asked(example: Example) -> None:
    with pytest.raises(Unreadable):
        change_from(read_delivery(example.body))


@pytest.mark.parametrize("example", JUDGED, ids=[example.name for example in JUDGED])
async def test_the_shipped_policies_decide_as_the_example_says(
    example: Example, gatherer: Gatherer
) -> None:
    decision, deferred = await _decision(example, gatherer)
    told = f"{decision.outcome} {[(f.id, f.effect, f.error) for f in decision.findings]}"
    if "answer-200-deferred" in example.shows:
        assert (decision.outcome.value, bool(deferred)) == ("allow", True), told
        return
    assert decision.outcome.value == example.expected.decision, told
    if example.expected.cause is not None:
        assert decision.cause == example.expected.cause, told
    if example.expected.rules is not None:
        effects = {"reject", "hold", "error"}
        ids = {finding.id for finding in decision.findings if finding.effect in effects}
        assert ids == set(example.expected.rules), told


def test_most_examples_are_judged() -> None:
    assert len(JUDGED) > 40
