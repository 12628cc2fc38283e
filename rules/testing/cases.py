"""Test files become cases: what is decided, when, by which policies, and what is expected of it.

A case takes a fixture (`use`), a change written in place (`change`) or a recorded decision
(`record`), sets dotted paths (`set`) and says what it expects. What it names under `expect` is
exact; a recorded decision without `expect` expects what was recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

from rules.load.keys import Complaints, Keys, mapping_of, read_head
from rules.model.catalogue import Catalogue
from rules.model.change import Change, Facts
from rules.model.decision import Outcome
from rules.model.effects import OUTCOMES
from rules.model.errors import PathUnknown, RecordUnreadable
from rules.policy.policy import Policy
from rules.replay.recorded import PastDecision, read_line
from rules.syntax.complaint import Complaint, closest
from rules.syntax.nodes import MapNode, Node, ScalarNode, read_nodes
from rules.testing.document import KEYS, DocumentReader, moment_key
from rules.testing.whatif import what_if

LISTS: Final[tuple[str, ...]] = ("rules", "held", "warned", "audited", "errors", "excepted")
MOST_RECORD_BYTES: Final = 1024 * 1024
# A test must come out the same on every day, so it never sees the day on which it runs.
_DEFAULT_NOW: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a case expects; what it does not name is free.

    `messages` must be just these, or hold the one of them when `one_message` is set; `recorded`
    are the rules that contributed to the recorded decision. With `is_verdict` the decision was
    written as the verdict on a message.
    """

    decision: str = ""
    cause: str = ""
    lists: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    messages: tuple[str, ...] | None = None
    one_message: bool = False
    recorded: tuple[str, ...] | None = None
    is_verdict: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class TestCase:
    """One case ready to be decided; `problems` say why it cannot be.

    `policies` limits the set to these names.
    """

    # pytest would otherwise take the class for a test of its own.
    __test__ = False

    file: str
    line: int
    name: str
    change: Change
    facts: Facts
    now: datetime
    policies: frozenset[str] | None
    expected: Expectation
    problems: tuple[str, ...] = ()


def policies_named(cases: Iterable[TestCase]) -> frozenset[str]:
    """Return the policies that a case names, which are tried even when they are off."""
    return frozenset(name for case in cases for name in case.policies or ())


_NO_CHANGE: Final = Change("", "update", "", {}, {})


class Policies(Protocol):
    """What the cases of a file refer to: the policies of a folder and its catalogue."""

    @property
    def catalogue(self) -> Catalogue:
        """Return the catalogue."""
        ...

    @property
    def policies(self) -> Sequence[Policy]:
        """Return the policies."""
        ...


def misread_cases(texts: Mapping[str, str], policies: Policies, folder: Path) -> list[Complaint]:
    """Return what is wrong with the test files among these texts, without deciding anything."""
    found: list[Complaint] = []
    for path, text in texts.items():
        before = len(found)
        for case in read_cases(path, text, policies, found=found, folder=folder):
            # What could not be read at all is told already, at its own place.
            if len(found) == before:
                said = f"The case `{case.name[:80]}`: "
                found += [
                    Complaint(path, case.line, 1, "test-unknown", said + problem)
                    for problem in case.problems
                ]
    return found


def read_cases(
    file: str,
    text: str,
    policy_set: Policies,
    *,
    found: list[Complaint],
    folder: Path | None = None,
) -> list[TestCase]:
    """Return the cases of one test file; a mistake in the file becomes a complaint.

    `folder` is the policy folder, in which recorded decisions are looked for.
    """
    root = read_nodes(file, text, found)
    complaints = Complaints(file, found)
    body = mapping_of(root, complaints, what="test file") if root is not None else None
    if body is None:
        return []
    keys = Keys(body, complaints, what="test file")
    read_head(keys, "Test")
    for key in ("title", "description"):
        keys.text(key)
    reading = _File(keys, policy_set, folder)
    nodes = keys.sequence("cases", required=True)
    keys.done()
    return [case for node in nodes if (case := reading.case(node)) is not None]


class _File:
    """One test file: its clock, its policies and its fixtures."""

    def __init__(self, keys: Keys, policy_set: Policies, folder: Path | None) -> None:
        self.complaints = keys.complaints
        self.folder = folder
        self.now = moment_key(keys, "now")
        self.fixtures = keys.mapping("fixtures")
        self.catalogue = policy_set.catalogue
        self.known = {policy.name for policy in policy_set.policies}
        self.policies = self._limit(keys.texts("policies"))

    def _limit(self, names: list[ScalarNode]) -> frozenset[str] | None:
        for node in names:
            if node.content not in self.known:
                self.complaints.add(
                    node,
                    "policy-unknown",
                    f"There is no policy `{node.text[:80]}`.",
                    hint=closest(node.text, self.known),
                )
        return frozenset(str(node.content) for node in names) if names else None

    def case(self, node: Node) -> TestCase | None:
        """Return one case; None when it could not be understood at all."""
        body = mapping_of(node, self.complaints, what="case")
        if body is None:
            return None
        keys = Keys(body, self.complaints, what="case")
        name = keys.text("name", required=True)
        now = moment_key(keys, "now")
        policies = self._limit(keys.texts("policies")) or self.policies
        changes = keys.mapping("set")
        assigned = changes.value() if changes is not None else {}
        record = keys.text("record")
        problems: list[str] = []
        change, facts, moment, recorded = _NO_CHANGE, Facts(), None, None
        if record:
            past = self._record(record, keys, problems)
            if past is not None:
                change, facts, moment = past.change, past.facts, past.now
                recorded = past
                try:
                    change, facts = what_if(change, facts, self.catalogue, assigned)
                except PathUnknown as unknown:
                    problems.append(unknown.message)
        else:
            document = self._document(keys, assigned)
            if document is None:
                problems.append("the case could not be read")
            else:
                reader = DocumentReader(self.catalogue)
                given = reader.read(document)
                change, facts, moment = given.change, given.facts, given.now
                problems += [problem.text for problem in reader.problems]
        expected = keys.mapping("expect", required=not record)
        # Without `expect`, a case is a promise that the recorded decision stays as it was.
        if expected is None and recorded is None:
            problems = problems or ["the case could not be read"]
        expectation = _expectation(expected, recorded, self.complaints)
        keys.done()
        return TestCase(
            file=self.complaints.file,
            line=body.line,
            name=name,
            change=change,
            facts=facts,
            now=now or moment or self.now or _DEFAULT_NOW,
            policies=policies,
            expected=expectation,
            problems=tuple(problems),
        )

    def _document(self, keys: Keys, assigned: Mapping[str, Any]) -> dict[str, Any] | None:
        use = keys.text("use")
        inline = keys.mapping("change")
        fixture: dict[str, Any] = {}
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
            self._misplaced(keys)
            return None
        for path, value in assigned.items():
            _put(fixture, path, value)
        return fixture

    def _misplaced(self, keys: Keys) -> None:
        """Complain of a case without its change, and of what of one stands beside its keys."""
        own = [key for key in KEYS if key != "now" and keys.get(key) is not None]
        for key in own:
            self.complaints.add(
                keys.node.keys[key], "key-unknown", f"`{key}` is of a change, not of a case.",
                hint="Put it below `change:`, or below a fixture that the case names under `use`.",
            )  # fmt: skip
        if not own:
            self.complaints.add(
                keys.node, "key-missing", "The case has no change.",
                hint="Name a fixture under `use:`, or write it below `change:`.",
            )  # fmt: skip

    def _record(self, path: str, keys: Keys, problems: list[str]) -> PastDecision | None:
        """Return the recorded decision of a file of the policy folder."""
        try:
            _, found = read_line(self._bytes(path), where=path)
        except RecordUnreadable as unreadable:
            self.complaints.add(
                keys.node.entries["record"], "record-unusable", unreadable.message,
                hint=unreadable.hint,
            )  # fmt: skip
            problems.append("the case could not be read")
            return None
        if isinstance(found, str):
            problems.append(f"{path} can't be decided again: {found}")
            return None
        return found

    def _bytes(self, path: str) -> bytes:
        if self.folder is None:
            raise RecordUnreadable(f"{path} is not there: the test has no folder.")
        root = self.folder.resolve()
        beside = (root / self.complaints.file).parent / path
        for candidate in (root / path, beside):
            chosen = candidate.resolve()
            # A test reads what its own folder holds and nothing else of the machine.
            if chosen.is_relative_to(root) and chosen.is_file():
                with chosen.open("rb") as file:
                    return file.read(MOST_RECORD_BYTES)
        raise RecordUnreadable(
            f"There is no file {path} in the policy folder.",
            hint="Name it from the folder's root, or beside the test.",
        )


def _expectation(
    expected: MapNode | None, recorded: PastDecision | None, complaints: Complaints
) -> Expectation:
    if expected is None:
        if recorded is None:
            return Expectation()
        return Expectation(decision=recorded.outcome, recorded=recorded.rules)
    keys = Keys(expected, complaints, what="expectation")
    wanted = keys.choice("decision", [outcome.value for outcome in Outcome], default="")
    verdict = keys.choice("verdict", OUTCOMES, default="")
    if verdict:
        wanted = OUTCOMES[verdict]
    cause = keys.text("cause")
    lists: dict[str, tuple[str, ...]] = {}
    for key in LISTS:
        names = tuple(str(node.content) for node in keys.texts(key))
        # A case that expects allow also fails on any rejecting or holding rule.
        if key in expected.entries or (wanted == "allow" and key in ("rules", "held")):
            lists[key] = names
    messages: tuple[str, ...] | None = None
    one = isinstance(expected.entries.get("message"), ScalarNode)
    if one:
        messages = (keys.text("message"),)
    elif "message" in expected.entries:
        messages = tuple(str(node.content) for node in keys.texts("message"))
    keys.done()
    return Expectation(wanted, cause, lists, messages, one, is_verdict=bool(verdict))


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
