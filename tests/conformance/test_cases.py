"""Every conformance case, and that there are enough of them to mean something."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rules.engine.decide import decide
from rules.engine.policy_set import PolicySet
from rules.explain.explain import explain
from rules.load.loader import load_documents
from rules.model.change import Change, Facts
from rules.model.decision import Decision
from rules.model.errors import PolicySetInvalid
from rules.syntax.dump import yaml_text
from rules.syntax.nodes import read_nodes
from rules.testing.document import DocumentReader

CASES = Path(__file__).parent / "cases"
CATALOGUE = (CASES / "fields.yaml").read_text("utf-8")
NOW = datetime(2026, 8, 21, 10, tzinfo=UTC)
ABOUT = ("result", "effect", "message", "exception", "error")


def _read(path: Path) -> dict[str, Any]:
    found: list[Any] = []
    root = read_nodes(path.name, path.read_text("utf-8"), found)
    assert root is not None, found
    value: dict[str, Any] = root.value()
    return value


def _files() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(CASES.glob("*.yaml")):
        if path.stem != "fields":
            yield path.stem, _read(path)


FILES = dict(_files())
DECIDED = [
    pytest.param(stem, case, id=f"{stem}: {case['name']}")
    for stem, file in FILES.items()
    for case in file["cases"]
    if "expect" in case
]
REFUSED = [
    pytest.param(case, id=case["name"])
    for file in FILES.values()
    for case in file["cases"]
    if "complaints" in case
]


def _set_of(file: dict[str, Any], environment: str | None) -> PolicySet:
    documents = {"fields.yaml": CATALOGUE}
    for kind in ("Policy", "List", "Exception"):
        folder = {"Policy": "policies", "List": "lists", "Exception": "exceptions"}[kind]
        for name, body in file.get(folder, {}).items():
            head = {"apiVersion": "guard/v1", "kind": kind, "name": name}
            documents[f"{folder}/{name}.yaml"] = yaml_text({**head, **body})
    for name, body in file.get("params", {}).items():
        documents[f"params/{name}.yaml"] = yaml_text(body)
    return load_documents(documents, environment=environment)


def _situation(file: dict[str, Any], case: dict[str, Any], policy_set: PolicySet) -> Any:
    document = {key: dict(v) if isinstance(v, dict) else v for key, v in file["change"].items()}
    for path in case.get("unset", ()):
        root, _, key = path.partition(".")
        del document[root][key]
    for path, value in case.get("set", {}).items():
        root, dot, key = path.partition(".")
        if dot:
            document.setdefault(root, {})[key] = value
        else:
            document[root] = value
    reader = DocumentReader(policy_set.catalogue)
    given = reader.read(document)
    assert reader.problems == []
    change = given.change
    # What no document may say, a delivery can still hold.
    raw = {path.removeprefix("new."): value for path, value in case.get("raw", {}).items()}
    if raw:
        change = Change(change.table, change.operation, change.record_id, change.before,
                        {**change.after, **raw}, change.sent | frozenset(raw))  # fmt: skip
    return change, given.facts


def _decided(stem: str, case: dict[str, Any]) -> tuple[Decision, PolicySet, Change, Facts, Any]:
    file = FILES[stem]
    policy_set = _set_of(file, case.get("environment"))
    if "only" in case:
        modes = {policy.name: policy.mode for policy in policy_set.policies}
        # A policy that is off would be audited if it were named to `only`.
        policy_set = policy_set.only(frozenset(n for n in case["only"] if modes[n] != "off"))
    change, facts = _situation(file, case, policy_set)
    now = datetime.fromisoformat(case["now"]) if "now" in case else NOW
    return decide(change, policy_set, facts, now=now), policy_set, change, facts, now


@pytest.mark.parametrize(("stem", "case"), DECIDED)
def test_a_case_is_decided_as_written(stem: str, case: dict[str, Any]) -> None:
    decision, policy_set, change, facts, now = _decided(stem, case)
    expected = case["expect"]
    assert set(expected) <= {"decision", "cause", "findings", "evaluated"}
    assert (decision.outcome.value, decision.cause) == (expected["decision"], expected["cause"])
    assert [one.id for one in decision.findings] == [one["id"] for one in expected["findings"]]
    for finding, wanted in zip(decision.findings, expected["findings"], strict=True):
        said = {key: getattr(finding, key) for key in ABOUT if key in wanted}
        assert {"id": finding.id, **said} == wanted
    if "evaluated" in expected:
        assert list(decision.evaluated) == expected["evaluated"]
    # The second evaluator of the house must see the same.
    assert explain(change, policy_set, facts, now=now).decision == decision


@pytest.mark.parametrize("case", REFUSED)
def test_a_text_is_refused_as_written(case: dict[str, Any]) -> None:
    documents = {"fields.yaml": CATALOGUE, **case["documents"]}
    with pytest.raises(PolicySetInvalid) as caught:
        load_documents(documents)
    found = [(c.file, c.line, c.column, c.code) for c in caught.value.complaints]
    expected = []
    for one in case["complaints"]:
        file, line, column, code = one.split(" ")[0].split(":") + one.split(" ")[1:]
        expected.append((file, int(line), int(column), code))
    assert found == expected


def test_there_are_enough_cases() -> None:
    assert len(DECIDED) >= 80
    assert len(REFUSED) >= 15


def test_every_operator_mode_effect_and_result_occurs() -> None:
    from rules.operators.table import OPERATORS
    from rules.policy.policy import MODES

    text = "\n".join(path.read_text("utf-8") for path in CASES.glob("*.yaml"))
    assert [name for name in OPERATORS if f"{name}:" not in text] == []
    assert [mode for mode in MODES if f"mode: {mode}" not in text.replace('"', "")] in (
        [],
        ["enforce"],
    )
    results = {one["result"] for file in FILES.values() for case in file["cases"]
               for one in case.get("expect", {}).get("findings", ())}  # fmt: skip
    assert results == {"fail", "error", "excepted"}
