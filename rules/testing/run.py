"""Policy tests: every case of every `*.test.yaml` is decided and compared exactly."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rules.engine.decide import decide
from rules.engine.policy_set import PolicySet
from rules.explain.explain import Explainer, Explanation
from rules.load.loader import load
from rules.model.decision import Decision, Finding, Outcome
from rules.model.effects import VERDICTS
from rules.syntax.complaint import Complaint
from rules.syntax.folder import is_test, read_folder
from rules.syntax.shipped import shipped_folder
from rules.testing.cases import TestCase, read_cases


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case went; `differences` is empty when it passed."""

    file: str
    line: int
    name: str
    differences: tuple[str, ...]
    decision: Decision | None
    case: TestCase = field(repr=False, compare=False)

    @property
    def passed(self) -> bool:
        """Tell whether everything expected came true."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class TestRun:
    """All cases of a folder, and the complaints about test files that could not be used.

    `notes` say why shipped tests fail that pass where they come from.
    """

    # pytest would otherwise take the class for a test of its own.
    __test__ = False

    policy_set: PolicySet
    cases: tuple[CaseResult, ...]
    complaints: tuple[Complaint, ...]
    notes: tuple[str, ...] = ()

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        """Return the cases that did not pass."""
        return tuple(case for case in self.cases if not case.passed)


def run_folder(folder: Path, *, environment: str | None = None, only: str | None = None) -> TestRun:
    """Run every test under a folder. Raises PolicySetInvalid when its policies do not load.

    `only` keeps the cases whose name or file holds that text.
    """
    policy_set = load(folder, environment=environment)
    complaints: list[Complaint] = []
    texts = {path: text for path, text in read_folder(folder, complaints).items() if is_test(path)}
    cases: list[TestCase] = []
    for path, text in texts.items():
        cases += read_cases(path, text, policy_set, found=complaints, folder=folder)
    results = run_cases(_chosen(cases, only), policy_set)
    ordered = sorted(complaints, key=lambda c: (c.file, c.line))
    notes = _notes({one.file for one in results if not one.passed}, texts, policy_set)
    return TestRun(policy_set, tuple(results), tuple(ordered), tuple(notes))


def _notes(failing: set[str], texts: Mapping[str, str], policy_set: PolicySet) -> Iterator[str]:
    """Yield why tests fail that are the shipped ones, word for word: what differs around them."""
    if not failing:
        return
    shipped = read_folder(shipped_folder(), [])
    known = sorted(path for path in failing if texts[path] == shipped.get(path))
    ours = {path: text for path, text in shipped.items() if path in policy_set.documents}
    here = policy_set.documents
    words = [
        *(f"{path} is another" for path, text in ours.items() if here[path] != text),
        *(f"{path} is added" for path in here if path not in shipped),
        *(
            f"{path} is missing"
            for path in shipped
            if path not in here and not is_test(path) and not _is_params(path)
        ),
    ]
    if known and words:
        yield (
            f"{', '.join(known)} came with the product and fit its policies and lists. Here "
            f"{'; '.join(sorted(words))}. Change the tests with them, or remove them."
        )


def _is_params(path: str) -> bool:
    return "params" in path.split("/")[:-1]


def _chosen(cases: Iterable[TestCase], only: str | None) -> list[TestCase]:
    return [case for case in cases if only is None or only in case.name or only in case.file]


def run_cases(cases: Iterable[TestCase], policy_set: PolicySet) -> list[CaseResult]:
    """Decide each case and compare."""
    limited: dict[frozenset[str] | None, PolicySet] = {None: policy_set}
    results = []
    for case in cases:
        if case.policies not in limited and case.policies is not None:
            limited[case.policies] = policy_set.only(case.policies)
        decision, found = None, case.problems
        if not found:
            decision = decide(case.change, limited[case.policies], case.facts, now=case.now)
            found = tuple(differences(case, decision))
            if found:
                found += tuple(_blamed(case, decision, policy_set, limited))
        results.append(CaseResult(case.file, case.line, case.name, found, decision, case))
    return results


def _blamed(
    case: TestCase, decision: Decision, policy_set: PolicySet,
    limited: dict[frozenset[str] | None, PolicySet],
) -> Iterator[str]:  # fmt: skip
    """Yield the policies without which a case passes that says nothing of them."""
    named = {id_.partition("/")[0] for ids in case.expected.lists.values() for id_ in ids}
    others = {finding.policy for finding in decision.findings} - named
    if case.policies is not None or not others:
        return
    active = {policy.name for policy in policy_set.policies if policy.mode != "off"}
    rest = frozenset(active - others)
    # Without any policy everything passes.
    if not rest:
        return
    if rest not in limited:
        limited[rest] = policy_set.only(rest)
    if not differences(case, decide(case.change, limited[rest], case.facts, now=case.now)):
        yield (
            f"without {', '.join(sorted(others))} it passes: expect what they say, or name under "
            "`policies` those that are meant"
        )


def differences(case: TestCase, decision: Decision) -> list[str]:
    """Return what a decision has otherwise than the case expects."""
    expected, found = case.expected, []
    wanted, got = expected.decision, decision.outcome.value
    if expected.is_verdict:
        wanted, got = VERDICTS[wanted], VERDICTS[got]
    if wanted and wanted != got:
        found.append(f"expected {wanted}, got {got}")
    if expected.cause and expected.cause != decision.cause:
        found.append(f"expected the cause {expected.cause}, got {decision.cause}")
    if expected.lists:
        lists = lists_of(decision.findings)
        for key, names in expected.lists.items():
            if sorted(set(names)) != lists[key]:
                found.append(f"expected {key} {_shown(names)}, got {_shown(lists[key])}")
    if expected.recorded is not None:
        made = sorted(f.id for f in decision.findings if f.contributes is not Outcome.ALLOW)
        if sorted(expected.recorded) != made:
            found.append(f"recorded were {_shown(expected.recorded)}, got {_shown(made)}")
    if expected.messages is not None:
        messages = [finding.message for finding in decision.contributing]
        fits = (
            expected.messages[0] in messages
            if expected.one_message
            else sorted(expected.messages) == sorted(messages)
        )
        if not fits:
            found.append(
                f"expected the message {_shown(expected.messages)}, got {_shown(messages)}"
            )
    return found


def explained(results: Iterable[CaseResult], policy_set: PolicySet) -> Iterator[Explanation | None]:
    """Yield the explanation of each case; None for one that could not be decided."""
    explainers: dict[frozenset[str] | None, Explainer] = {None: Explainer(policy_set)}
    for result in results:
        case = result.case
        if case.policies not in explainers and case.policies is not None:
            explainers[case.policies] = Explainer(policy_set.only(case.policies))
        if case.problems:
            yield None
        else:
            yield explainers[case.policies].explain(case.change, case.facts, now=case.now)


def involved(result: CaseResult) -> frozenset[str]:
    """Return the ids of the rules that were expected and did not speak, or the other way round."""
    if result.decision is None:
        return frozenset()
    got = lists_of(result.decision.findings)
    found: set[str] = set()
    for key, names in result.case.expected.lists.items():
        if key != "excepted":
            found |= set(names) ^ set(got[key])
    if result.case.expected.recorded is not None:
        found |= set(result.case.expected.recorded)
    if not found:
        found = {finding.id for finding in result.decision.findings}
    return frozenset(found)


def lists_of(findings: Sequence[Finding]) -> dict[str, list[str]]:
    """Return the ids of the rules by what became of them, as a case expects them."""
    failing = [finding for finding in findings if finding.result == "fail"]
    return {
        "rules": sorted(f.id for f in failing if f.effect in ("reject", "skip")),
        "held": sorted(f.id for f in failing if f.effect in ("hold", "metadata-only")),
        "warned": sorted(f.id for f in failing if f.effect == "warn"),
        "audited": sorted(f.id for f in failing if f.effect == "audit"),
        "errors": sorted(f.id for f in findings if f.result == "error"),
        "excepted": sorted({f.exception for f in findings if f.exception is not None}),
    }


def _shown(names: Sequence[str]) -> str:
    return f"[{', '.join(names)}]"
