"""*Policies*: what is in force, read as sentences, and what it would say to a change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from console.readings.exceptions import list_exceptions
from console.readings.policies import policies_in_force
from console.readings.trial import FormColumn, TrialForm, document_of, tried
from console.web.page import ConsolePage, PageVisit, Shown, View
from guard.columns.table import TABLES
from kernel.errors import InputRefused, NotFound
from rules.model.catalogue import Catalogue
from rules.policy.policy import OPERATIONS

COLUMNS: Final = 6
FACTS: Final = 10
_MOST_TEXT: Final = 300
# What most rules ask for: so that nobody has to know the names to begin.
_BEGUN_COLUMNS: Final = ("address", "approval")
_BEGUN_FACTS: Final = (
    ("owner.type", "user"),
    ("owner.upn", ""),
    ("owner.objectId", ""),
    ("addressOwner.objectId", ""),
    ("actor.kind", "user"),
    ("actor.upn", ""),
)


class PolicyNotInForce(NotFound):
    """No policy of the set in force has this name."""

    code = "policy-not-in-force"


async def overview(visit: PageVisit) -> Shown:
    """Show every policy with how often it fired, what never did, and the exceptions."""
    policy_set, now = visit.parts.policies(), visit.parts.clock.now()
    found = await visit.read(lambda c: policies_in_force(c, policy_set, now=now))
    policies = [
        {
            **one,
            "fired": sum(rule["fired"] for rule in one["rules"]),
            "last_fired": max((r["last_fired"] for r in one["rules"] if r["fired"]), default=None),
        }
        for one in found["policies"]
    ]
    return Shown(
        "policies.html",
        {
            "found": found,
            "policies": policies,
            "exceptions": list_exceptions(policy_set, now=now),
            "warnings": [str(one) for one in policy_set.warnings][:20],
        },
    )


async def one_policy(visit: PageVisit) -> Shown:
    """Show one policy read out."""
    policy_set, now, name = visit.parts.policies(), visit.parts.clock.now(), visit.path["name"]
    found = await visit.read(lambda c: policies_in_force(c, policy_set, now=now))
    policy = next((one for one in found["policies"] if one["name"] == name), None)
    if policy is None:
        raise PolicyNotInForce(f"No policy in force is called `{name}`.", hint="All are listed.")
    exceptions = [one for one in list_exceptions(policy_set, now=now) if one["policy"] == name]
    return Shown(
        "policy.html",
        {"policy": policy, "exceptions": exceptions, "counted_since": found["counted_since"]},
    )


async def try_one(visit: PageVisit) -> Shown:
    """Show the form, and what the policies of today say to the change that stands in it."""
    policy_set, query = visit.parts.policies(), visit.query
    asked = _asked(query)
    why, refused = None, None
    if query:
        try:
            document = document_of(asked, policy_set.catalogue)
            why = tried(document, policy_set, now=visit.parts.clock.now())
        except InputRefused as error:
            refused = error
    return Shown(
        "try.html",
        {
            "asked": asked,
            "columns": _padded(asked.columns, FormColumn("", "", ""), COLUMNS),
            "facts": _padded(asked.facts, ("", ""), FACTS),
            "tables": sorted(TABLES),
            "operations": OPERATIONS,
            "names": _names(policy_set.catalogue, asked.table),
            "why": why,
            "refused": refused,
        },
        200 if refused is None else refused.http_status,
    )


def _asked(query: Mapping[str, str]) -> TrialForm:
    """Return what stands in the form; at first what most rules ask for."""
    if not query:
        columns = tuple(FormColumn(name, "", "") for name in _BEGUN_COLUMNS)
        return TrialForm("mailbox", "update", columns, _BEGUN_FACTS)

    def given(name: str) -> str:
        return query.get(name, "").strip()[:_MOST_TEXT]

    written = [
        FormColumn(given(f"column{n}"), given(f"before{n}"), given(f"after{n}"))
        for n in range(COLUMNS)
    ]
    facts = ((given(f"fact{n}"), given(f"value{n}")) for n in range(FACTS))
    return TrialForm(
        given("table") or "mailbox",
        given("operation") or "update",
        tuple(one for one in written if one.name),
        tuple(one for one in facts if one[0]),
    )


def _padded(given: Sequence[Any], blank: Any, count: int) -> list[Any]:
    return [*given, *[blank] * (count - len(given))]


def _names(catalogue: Catalogue, table: str) -> list[str]:
    entity = catalogue.entities.get(table)
    shared = [f"{name}.{key}" for name, one in catalogue.shared.items() for key in one.names()]
    return sorted({*(entity.names() if entity is not None else ()), *shared})


PAGE: Final = ConsolePage(
    "Policies",
    "/policies",
    views=(
        View("/policies", overview),
        View("/policies/try", try_one),
        View("/policies/{name}", one_policy),
    ),
)
