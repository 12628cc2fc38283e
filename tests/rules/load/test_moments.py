"""Time of day, weekday and date of the request, in the zone that the author names."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from rules.engine.decide import decide
from rules.explain.explain import Explainer
from rules.model.change import Facts
from tests.rules.builders import a_change, a_policy, a_set, codes, complaints

FRIDAY_EVENING = (
    "{field: request.time, part: weekday, timeZone: Europe/Amsterdam, equals: friday},"
    " {field: request.time, part: timeOfDay, timeZone: Europe/Amsterdam, greaterOrEquals: 16:00}"
)


def _rule(condition: str) -> str:
    return f"{{id: the-rule, require: [{{not: {condition}}}], message: m}}"


def _outcome(conditions: str, moment: str, **more: Any) -> str:
    required = "{field: address, equals: z@z.de}"
    rule = f"{{id: the-rule, when: [{conditions}], require: [{required}], message: m}}"
    decision = decide(
        a_change(emailaddress="a@b.de"),
        a_set(a_policy(rule, more=more.get("params", ""))),
        Facts(),
        now=datetime.fromisoformat(moment),
    )
    return decision.outcome.value


def _told(condition: str) -> list[tuple[str, str | None]]:
    found = complaints(a_policy(_rule(condition)))
    return [(one.code, one.hint) for one in found if one.level == "error"]


@pytest.mark.parametrize(
    ("moment", "outcome"),
    [
        ("2026-11-27T14:59:59+00:00", "allow"),  # 15:59:59 there
        ("2026-11-27T15:00:00+00:00", "reject"),  # 16:00 there, in winter
        ("2026-07-31T13:59:00+00:00", "allow"),
        ("2026-07-31T14:00:00+00:00", "reject"),  # 16:00 there, in summer
        ("2026-11-27T22:59:00+00:00", "reject"),
        ("2026-11-27T23:00:00+00:00", "allow"),  # Saturday there, Friday in UTC
        ("2026-11-26T23:30:00+00:00", "allow"),  # Friday there, half past midnight
        ("2026-11-26T16:00:00+00:00", "allow"),
    ],
)
def test_friday_after_four_in_amsterdam(moment, outcome):
    assert _outcome(FRIDAY_EVENING, moment) == outcome


@pytest.mark.parametrize(
    ("condition", "moment", "outcome"),
    [
        ("part: weekday, timeZone: Asia/Tokyo, in: [saturday, sunday]", "2026-11-27T15:00:00Z",
         "reject"),
        ("part: weekday, timeZone: UTC, in: [saturday, sunday]", "2026-11-27T15:00:00Z", "allow"),
        ("part: weekday, timeZone: UTC, notIn: [monday]", "2026-11-30T00:00:00Z", "allow"),
        ("part: date, timeZone: Europe/Amsterdam, equals: 2026-12-25", "2026-12-24T23:00:00Z",
         "reject"),
        ("part: date, timeZone: Europe/Amsterdam, greaterOrEquals: 2026-12-24, lessOrEquals:"
         " 2026-12-26", "2026-12-26T22:59:59Z", "reject"),
        ("part: date, timeZone: Europe/Amsterdam, in: [2026-12-25]", "2026-12-25T23:00:00Z",
         "allow"),
        ("part: timeOfDay, timeZone: America/New_York, less: '08:30:30'", "2026-11-27T13:30:29Z",
         "reject"),
        ("part: timeOfDay, timeZone: America/New_York, less: '08:30:30'", "2026-11-27T13:30:30Z",
         "allow"),
    ],
)  # fmt: skip
def test_what_may_be_asked_of_a_moment(condition, moment, outcome):
    assert _outcome(f"{{field: request.time, {condition}}}", moment) == outcome


def test_zone_and_time_may_be_params():
    condition = (
        "{field: request.time, part: timeOfDay, timeZone: {param: zone}, less: {param: from}}"
    )
    params = "params: {zone: Europe/Amsterdam, from: '08:00'}\n"
    assert _outcome(condition, "2026-11-27T06:59:00Z", params=params) == "reject"
    assert _outcome(condition, "2026-11-27T07:00:00Z", params=params) == "allow"


@pytest.mark.parametrize(
    ("condition", "found"),
    [
        ("{field: request.time, part: weekday, equals: friday}",
         ("zone-missing", "Add `timeZone: Europe/Amsterdam`, or the zone that is meant.")),
        ("{field: request.time, part: weekday, timeZone: Europe/Amstredam, equals: friday}",
         ("zone-unknown", "Did you mean `Europe/Amsterdam`?")),
        ("{field: request.time, part: weekday, timeZone: W. Europe Standard Time, equals: friday}",
         ("zone-unknown", "Write its IANA name, such as Europe/Amsterdam.")),
        ("{field: request.time, part: weekday, timeZone: localtime, equals: friday}",
         ("zone-unknown", "Write its IANA name, such as Europe/Amsterdam.")),
        ("{field: request.time, timeZone: UTC, less: 2026-01-01}",
         ("zone-misplaced", "Add `part`, or remove the zone.")),
        ("{field: request.time, part: weekday, timeZone: UTC, equals: Friday}",
         ("label-unknown", "Did you mean `friday`?")),
        ("{field: request.time, part: timeOfDay, timeZone: UTC, less: 8:00}",
         ("value-misfit", 'Write "08:00".')),
        ("{field: request.time, part: timeOfDay, timeZone: UTC, less: 4 pm}",
         ("value-misfit", 'Write it as "16:00".')),
        ("{field: request.time, part: date, timeZone: UTC, equals: 25.12.2026}",
         ("value-misfit", 'Write it as "2026-12-24".')),
        ("{field: request.time, less: 16:00}",
         ("value-misfit", "Add `part: timeOfDay` and `timeZone: Europe/Amsterdam`, or the zone "
          "that is meant.")),
        ("{field: request.time, equals: friday}",
         ("value-misfit", "Add `part: weekday` and `timeZone: Europe/Amsterdam`, or the zone "
          "that is meant.")),
        ("{field: request.time, part: timeOfDay, timeZone: UTC, greaterOrEquals: '18:00',"
         " less: '08:00'}",
         ("value-impossible", "Put each bound into a condition of its own under `anyOf`, if either"
          " is meant.")),
        ("{field: address, part: weekday, timeZone: UTC, equals: friday}", ("part-misfit", None)),
        ("{field: request.time, part: domain, equals: b.de}", ("part-misfit", None)),
        ("{field: request.time, part: timeOfDay, timeZone: UTC, less: {field: request.time}}",
         ("value-misfit", None)),
    ],
)  # fmt: skip
def test_a_mistake_about_a_moment_is_told_with_the_right_form(condition, found):
    assert _told(condition) == [found]


def test_an_explanation_names_the_zone_and_the_time_there():
    policies = a_set(a_policy(_rule(FRIDAY_EVENING.partition(", {")[0])))
    now = datetime(2026, 11, 27, 23, 30, tzinfo=UTC)
    explanation = Explainer(policies).explain(a_change(emailaddress="a@b.de"), Facts(), now=now)
    (rule,) = explanation.rules
    (trace,) = rule.require[0].items
    assert trace.words == "weekday in Europe/Amsterdam of request.time equals friday"
    assert trace.values == ("saturday",)


@pytest.mark.parametrize("bounds", ["greater: 5, less: 5", "greaterOrEquals: 6, lessOrEquals: 5"])
def test_bounds_with_nothing_between_them_never_hold(bounds):
    condition = f"{{field: address, part: length, {bounds}}}"
    assert [code for code, _ in _told(condition)] == ["value-impossible"]
    assert codes(a_policy(_rule("{field: address, part: length, greaterOrEquals: 5,"
                                " lessOrEquals: 5}"))) == []  # fmt: skip


def test_text_is_compared_without_case_unless_a_catalogue_says_otherwise():
    policy = a_policy(
        "{id: the-rule, require: [{field: name, notEquals: Sales}], message: m}", entity="queue"
    )
    change = a_change(table="queue", name="SALES", before={"name": "x"})
    assert decide(change, a_set(policy), Facts(), now=datetime.now(UTC)).outcome.value == "reject"  # noqa: TID251
    strict = "queue:\n  name: {type: string, caseless: false}\n"
    policies = a_set(policy, fields=strict)
    assert decide(change, policies, Facts(), now=datetime.now(UTC)).outcome.value == "allow"  # noqa: TID251


def test_zones_come_from_the_package_where_the_system_has_none():
    pytest.importorskip("tzdata")
    code = (
        "from rules.operators.moments import zone_of, known_zones\n"
        "print(zone_of('Europe/Amsterdam').key, 'Asia/Tokyo' in known_zones())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONTZPATH": ""},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["Europe/Amsterdam", "True"]
