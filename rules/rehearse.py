"""Policy tests: every case of every `*.test.yaml` is decided and compared exactly.

A case takes a fixture (`use`), sets dotted paths (`set`) and says what it expects. What it names
under `expect` is exact; a case that expects allow also fails on any rejecting or holding rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from rules.complaint import Complaint, closest
from rules.decide import decide
from rules.decision import Decision, Finding, Outcome
from rules.document import DocumentReader, moment_key
from rules.folder import is_test, read_folder
from rules.loader import load
from rules.nodes import MapNode, Node, ScalarNode, read_nodes
from rules.policy_set import PolicySet
from rules.reading import Complaints, Keys, mapping_of

_DEFAULT_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """How one case went; `differences` is empty when it passed."""

    file: str
    line: int
    name: str
    differences: tuple[str, ...]
    decision: Decision | None

    @property
    def passed(self) -> bool:
        """Tell whether everything expected came true."""
        return not self.differences


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """All cases of a folder, and the complaints about test files that could not be used."""

    cases: tuple[CaseResult, ...]
    complaints: tuple[Complaint, ...]

    @property
    def failed(self) -> tuple[CaseResult, ...]:
        """Return the cases that did not pass."""
        return tuple(case for case in self.cases if not case.passed)


def rehearse(folder: Path, *, environment: str | None = None, only: str | None = None) -> Rehearsal:
    """Run every test under a folder. Raises PolicySetInvalid when its policies do not load.

    `only` keeps the cases whose name or file holds that text.
    """
    policy_set = load(folder, environment=environment)
    complaints: list[Complaint] = []
    texts = {path: text for path, text in read_folder(folder, complaints).items() if is_test(path)}
    cases: list[CaseResult] = []
    for path, text in texts.items():
        cases += rehearse_text(path, text, policy_set, found=complaints, only=only)
    return Rehearsal(tuple(cases), tuple(sorted(complaints, key=lambda c: (c.file, c.line))))


def rehearse_text(
    file: str, text: str, policy_set: PolicySet, *, found: list[Complaint], only: str | None = None
) -> list[CaseResult]:
    """Run the cases of one test file; a mistake in the file becomes a complaint."""
    root = read_nodes(file, text, found)
    complaints = Complaints(file, found)
    body = mapping_of(root, complaints, what="test file") if root is not None else None
    if body is None:
        return []
    keys = Keys(body, complaints, what="test file")
    keys.text("apiVersion")
    keys.choice("kind", ("Test",), default="Test")
    for key in ("title", "description"):
        keys.text(key)
    rehearsing = _File(keys, policy_set)
    cases = keys.sequence("cases", required=True)
    keys.done()
    return [
        result
        for node in cases
        if (result := rehearsing.run(node)) is not None
        and (only is None or only in result.name or only in file)
    ]


class _File:
    """One test file: its clock, its policies and its fixtures."""

    def __init__(self, keys: Keys, policy_set: PolicySet) -> None:
        self.complaints = keys.complaints
        self.now = moment_key(keys, "now")
        self.fixtures = keys.mapping("fixtures")
        self.policy_set = policy_set
        self.whole_set = policy_set
        names = keys.texts("policies")
        if names:
            self.policy_set = self._limited(names)

    def _limited(self, names: list[ScalarNode]) -> PolicySet:
        known = {policy.name for policy in self.whole_set.policies}
        for node in names:
            if node.content not in known:
                self.complaints.add(
                    node,
                    "policy-unknown",
                    f"There is no policy `{node.text[:80]}`.",
                    hint=closest(node.text, known),
                )
        return self.whole_set.only(frozenset(str(node.content) for node in names))

    def run(self, node: Node) -> CaseResult | None:
        """Decide one case; None when it could not be understood at all."""
        body = mapping_of(node, self.complaints, what="case")
        if body is None:
            return None
        keys = Keys(body, self.complaints, what="case")
        name = keys.text("name", required=True)
        document = self._document(keys)
        now = moment_key(keys, "now") or self.now or _DEFAULT_NOW
        names = keys.texts("policies")
        policy_set = self._limited(names) if names else self.policy_set
        expected = keys.mapping("expect", required=True)
        keys.done()
        file = self.complaints.file
        if document is None or expected is None:
            return CaseResult(file, body.line, name, ("the case could not be read",), None)
        reader = DocumentReader(policy_set.catalogue)
        given = reader.read(document)
        if reader.problems:
            return CaseResult(file, body.line, name, tuple(reader.problems), None)
        decision = decide(given.change, policy_set, given.facts, now=now)
        differences = _differences(expected, decision, self.complaints)
        return CaseResult(file, body.line, name, tuple(differences), decision)

    def _document(self, keys: Keys) -> dict[str, Any] | None:
        use = keys.text("use")
        fixture: dict[str, Any] = {}
        inline = keys.mapping("change")
        if use:
            known = self.fixtures.entries if self.fixtures is not None else {}
            chosen = known.get(use)
            if not isinstance(chosen, MapNode):
                self.complaints.add(
                    keys.node.entries["use"],
                    "test-unknown",
                    f"There is no fixture `{use[:80]}`.",
                    hint=closest(use, known),
                )
                return None
            fixture = chosen.value()
        elif inline is not None:
            fixture = inline.value()
        else:
            keys.need("use")
            return None
        changes = keys.mapping("set")
        for path, value in changes.value().items() if changes is not None else ():
            _put(fixture, path, value)
        return fixture


def _put(document: dict[str, Any], path: str, value: Any) -> None:
    """Set a dotted path; the implied root is `new`. Dotted keys of the fixture are taken along."""
    parts = path.split(".")
    if len(parts) == 1 and path in ("operation", "entity", "table", "record_id"):
        document[path] = value
        return
    if parts[0] not in ("new", "old", "actor", "request", "facts", "missing"):
        parts.insert(0, "new")
    root, rest = parts[0], parts[1:]
    body = document.get(root)
    body = dict(body) if isinstance(body, Mapping) else {}
    document[root] = body
    if root == "missing":
        body[".".join(rest)] = value
        return
    for depth in range(len(rest) - 1):
        dotted = ".".join(rest[depth:])
        if dotted in body:
            body[dotted] = value
            return
        inner = body.get(rest[depth])
        inner = dict(inner) if isinstance(inner, Mapping) else {}
        body[rest[depth]] = inner
        body = inner
    body[rest[-1]] = value


def _differences(expected: MapNode, decision: Decision, complaints: Complaints) -> list[str]:
    keys = Keys(expected, complaints, what="expect")
    differences = []
    wanted = keys.choice("decision", [outcome.value for outcome in Outcome], default="")
    if wanted and wanted != decision.outcome.value:
        differences.append(f"expected {wanted}, got {decision.outcome.value}")
    cause = keys.text("cause")
    if cause and cause != decision.cause:
        differences.append(f"expected the cause {cause}, got {decision.cause}")
    for key, got in _lists(decision.findings).items():
        given = key in expected.entries
        names = [str(node.content) for node in keys.texts(key)]
        surprising = wanted == "allow" and key in ("rules", "held")
        if (given or surprising) and sorted(set(names)) != got:
            differences.append(f"expected {key} {_shown(names)}, got {_shown(got)}")
    if "message" in expected.entries:
        differences += _message_differences(keys, decision)
    keys.done()
    return differences


def _message_differences(keys: Keys, decision: Decision) -> list[str]:
    messages = [finding.message for finding in decision.contributing]
    if isinstance(keys.node.entries["message"], ScalarNode):
        wanted = [keys.text("message")]
        fits = wanted[0] in messages
    else:
        wanted = [str(node.content) for node in keys.texts("message")]
        fits = sorted(wanted) == sorted(messages)
    return [] if fits else [f"expected the message {_shown(wanted)}, got {_shown(messages)}"]


def _lists(findings: Sequence[Finding]) -> dict[str, list[str]]:
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
