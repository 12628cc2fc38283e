"""A policy folder becomes a PolicySet, or every complaint about it at once.

A file's `kind` says what it is; `fields.yaml` is the catalogue, `params/<environment>.yaml` the
params, `*.test.yaml` are tests and have no part here. Loading is all or nothing. This module and
what it imports stay light: the standard library, yaml and re2.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar

from kernel.digest import digest_of
from rules.engine.policy_set import PolicySet, build_index
from rules.load.catalogue import read_catalogue
from rules.load.keys import Complaints, Keys
from rules.load.parts import read_exception, read_list, read_params, resolve_when
from rules.load.policy import PolicyHeader, read_header, read_rules
from rules.load.scope import NamedList
from rules.load.table_coverage import uncovered_tables
from rules.model.catalogue import Catalogue
from rules.model.errors import PolicySetInvalid
from rules.policy.policy import Policy, PolicyException
from rules.syntax.complaint import Complaint, closest
from rules.syntax.folder import is_test, read_folder, without_tests
from rules.syntax.nodes import MapNode, Node, ScalarNode, read_whole
from rules.syntax.shipped import CATALOGUE_FILE, shipped_catalogue

T = TypeVar("T")

KINDS: Final = ("Policy", "List", "Exception", "Params", "Catalogue", "Test")


@dataclass(frozen=True, slots=True)
class Checked:
    """A policy folder that would load: its digest, its policies, and what is no more than odd."""

    digest: str
    catalogue: Catalogue
    policies: tuple[Policy, ...]
    warnings: tuple[Complaint, ...]

    @property
    def enforced(self) -> int:
        """Return how many policies are enforced."""
        return sum(policy.mode == "enforce" for policy in self.policies)


def load(folder: Path, *, environment: str | None = None, now: datetime | None = None) -> PolicySet:
    """Return the policy set of a folder. Raises PolicySetInvalid with every complaint.

    `environment` chooses the params file. With `now`, exceptions that end too far ahead are
    refused; without it they load and do not apply until their end is near enough.
    """
    complaints: list[Complaint] = []
    texts = without_tests(read_folder(folder, complaints), complaints)
    return _load(texts, environment, now, complaints)


def check(folder: Path, *, environment: str | None = None, now: datetime | None = None) -> Checked:
    """Return what `load` would load, without making it ready to decide; raises as `load` does."""
    complaints: list[Complaint] = []
    texts = without_tests(read_folder(folder, complaints), complaints)
    return _read(texts, environment, now, complaints, _Loading.checked)


def load_documents(documents: Mapping[str, str], *, environment: str | None = None) -> PolicySet:
    """Return the policy set of stored texts: the same set that `load` made of the folder."""
    return _load(dict(documents), environment, None, [])


def catalogue_of(folder: Path | None) -> Catalogue:
    """Return the catalogue of a folder, whatever else is wrong there; the shipped one for None."""
    complaints: list[Complaint] = []
    texts = read_folder(folder, complaints) if folder is not None else {}
    chosen = {
        path: text for path, text in texts.items() if path.rpartition("/")[2] == CATALOGUE_FILE
    }
    wrong = [one for one in complaints if one.file in (str(folder), CATALOGUE_FILE)]
    return _load(chosen, None, None, wrong).catalogue


def _load(
    texts: dict[str, str], environment: str | None, now: datetime | None, found: list[Complaint]
) -> PolicySet:
    return _read(texts, environment, now, found, _Loading.policy_set)


def _read(
    texts: dict[str, str], environment: str | None, now: datetime | None, found: list[Complaint],
    made: Callable[[_Loading], T],
) -> T:  # fmt: skip
    loading = _Loading(environment, now, found)
    collecting = gc.isenabled()
    # What is loaded stays; the collector would only walk over it again and again.
    gc.disable()
    try:
        loading.sort_out(texts)
        loading.read()
        loading.finish()
        return made(loading)
    finally:
        if collecting:
            gc.enable()


@dataclass(frozen=True, slots=True)
class _Shipped:
    """The shipped catalogue, as it is read wherever nothing else stands in its place."""

    root: MapNode
    values: Any
    catalogue: Catalogue
    found: tuple[Complaint, ...]


@cache
def _shipped() -> _Shipped:
    # Once: it never changes while we run, and to read it costs more than most policy folders do.
    found: list[Complaint] = []
    root = read_whole(CATALOGUE_FILE, shipped_catalogue(), found)
    assert isinstance(root, MapNode), found  # noqa: S101 - a test reads it.
    catalogue = read_catalogue(root, Complaints(CATALOGUE_FILE, found))
    return _Shipped(root, root.value(), catalogue, tuple(found))


def _is_shipped(path: str, text: str) -> bool:
    return path.rpartition("/")[2] == CATALOGUE_FILE and text == shipped_catalogue()


class _Loading:
    """One loading of one set; the steps of `_load` in their order."""

    def __init__(
        self, environment: str | None, now: datetime | None, found: list[Complaint]
    ) -> None:
        self.environment = environment
        self.now = now
        self.found = found
        self.documents: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        self.by_kind: dict[str, list[tuple[str, MapNode]]] = {kind: [] for kind in KINDS}
        self.lists: dict[str, NamedList] = {}
        self.headers: dict[str, PolicyHeader] = {}
        self.policies: dict[str, Policy] = {}
        self.elsewhere: list[tuple[str, MapNode]] = []
        self.catalogue = Catalogue({}, {})

    def sort_out(self, texts: dict[str, str]) -> None:
        """Parse every file that has a part in decisions and learn its kind."""
        # Without an environment no file is called so, and every params file is passed over.
        chosen = f"{self.environment}"
        if not any(path.rsplit("/", 1)[-1] == CATALOGUE_FILE for path in texts):
            texts = {CATALOGUE_FILE: shipped_catalogue(), **texts}
        environments: dict[str, str] = {}
        for path, text in sorted(texts.items()):
            folder, _, file = path.rpartition("/")
            in_params = folder.rsplit("/", 1)[-1] == "params"
            stem = file.rsplit(".", 1)[0]
            if in_params:
                environments.setdefault(stem, path)
            # A test has no part in decisions, so it must have none in the digest either.
            if is_test(path):
                continue
            shipped = _shipped() if _is_shipped(path, text) else None
            root = shipped.root if shipped else read_whole(path, text, self.found)
            kind = self._kind(path, root, "Params" if in_params else None)
            if kind is None or root is None:
                continue
            assert isinstance(root, MapNode)  # noqa: S101 - _kind answers None otherwise.
            if kind == "Params":
                first = environments.setdefault(stem, path)
                if first != path:
                    Complaints(path, self.found).add(
                        root, "name-duplicate", f"`{stem}` has its params in {first} already."
                    )
                if stem != chosen:
                    # Read all the same: a mistake in it would show only where it decides.
                    self.elsewhere.append((path, root))
                    continue
            self.documents[path] = text
            self.values[path] = shipped.values if shipped else root.value()
            self.by_kind[kind].append((path, root))
        if self.environment is not None and self.environment not in environments and environments:
            self.found.append(
                Complaint(
                    f"params/{chosen}.yaml", 1, 1, "environment-unknown",
                    f"There is no params file for the environment `{chosen}`.",
                    closest(chosen, environments) or f"There are {', '.join(environments)}.",
                )
            )  # fmt: skip

    def _kind(self, path: str, root: Node | None, placed: str | None) -> str | None:
        if root is None:
            return None
        complaints = Complaints(path, self.found)
        if not isinstance(root, MapNode):
            complaints.add(root, "kind-unknown", "The file must be a mapping of keys to values.")
            return None
        named = path.rsplit("/", 1)[-1]
        by_place = "Catalogue" if named == CATALOGUE_FILE else placed
        said = root.entries.get("kind")
        if placed is not None and isinstance(said, ScalarNode) and said.content != placed:
            complaints.add(
                said, "file-misplaced",
                f"In `params/` only the params of environments are read, and no {said.text[:40]}.",
                hint="Move the file out of `params/`.",
            )  # fmt: skip
            return None
        if by_place is not None:
            return by_place
        keys = Keys(root, complaints, what="file")
        # A file that is left out silently may be the policy that was meant to protect.
        if keys.need("kind") is None:
            return None
        kind = keys.choice("kind", KINDS, default="", code="kind-unknown")
        if kind == "Test":
            stem = named.rsplit(".", 1)[0]
            complaints.add(
                root.entries["kind"], "file-misplaced",
                "A test is run only in a file whose name says so.",
                hint=f"Call it {stem}.test.yaml.",
            )  # fmt: skip
        return None if kind in ("", "Test") else kind

    def read(self) -> None:
        """Read the files in the order in which they refer to each other."""
        # 1. The catalogue: every path and label below is looked up in it.
        for path, root in self.by_kind["Catalogue"][:1]:
            shipped = _shipped()
            if _is_shipped(path, self.documents[path]):
                self.catalogue = shipped.catalogue
                self.found += [replace(one, file=path) for one in shipped.found]
            else:
                known = shipped.catalogue
                self.catalogue = read_catalogue(root, Complaints(path, self.found), known)
        for path, root in self.by_kind["Catalogue"][1:]:
            Complaints(path, self.found).add(
                root, "name-duplicate", "The folder has two catalogues.", hint="Keep one."
            )
        # 2. Lists, which refer to nothing.
        for path, root in self.by_kind["List"]:
            complaints = Complaints(path, self.found)
            name, items = read_list(root, complaints)
            self._refuse_second(name, self.lists, "list", root, complaints)
            self.lists[name] = items
        # 3. The headers of policies: their names and params, before any condition is read.
        for path, root in self.by_kind["Policy"]:
            complaints = Complaints(path, self.found)
            header = read_header(root, complaints)
            self._refuse_second(header.name, self.headers, "policy", root, complaints)
            self.headers[header.name] = header
        # 4. What the environment sets, which must name a policy and a param that exist.
        overrides: dict[str, tuple[dict[str, Any], str | None]] = {}
        for path, root in self.by_kind["Params"]:
            overrides = read_params(root, Complaints(path, self.found), self.headers)
        # 5. Rules, with the params that hold: values are checked as they will be compared.
        for name, header in self.headers.items():
            params, mode = overrides.get(name, ({}, None))
            self.policies[name] = read_rules(
                header,
                catalogue=self.catalogue,
                lists=self.lists,
                params={**header.params, **params},
                mode=mode or header.mode,
            )
        # 6. The same with the params of every other environment, for its mistakes alone.
        for path, root in self.elsewhere:
            self._read_elsewhere(path, root)
        # 7. Exceptions, which name policies and rules.
        self._read_exceptions()

    def _read_elsewhere(self, path: str, root: MapNode) -> None:
        complaints = Complaints(path, self.found)
        for name, (params, mode) in read_params(root, complaints, self.headers).items():
            found: list[Complaint] = []
            known = self.headers[name]
            header = read_header(known.keys.node, Complaints(known.complaints.file, found))
            read_rules(
                header, catalogue=self.catalogue, lists=self.lists,
                params={**known.params, **params}, mode=mode or known.mode,
            )  # fmt: skip
            for one in {*found}.difference(self.found):
                if one.level == "error":
                    said = f"With it, line {one.line} of {one.file} is a mistake: {one.text}"
                    complaints.add(root.keys[name], one.code, said, hint=one.hint)

    def _read_exceptions(self) -> None:
        names: dict[str, PolicyException] = {}
        for path, root in self.by_kind["Exception"]:
            complaints = Complaints(path, self.found)
            exception, when = read_exception(root, complaints, headers=self.headers, now=self.now)
            self._refuse_second(exception.name, names, "exception", root, complaints)
            names[exception.name] = exception
            policy = self.policies.get(exception.policy)
            if policy is None:
                continue
            resolved = resolve_when(when, policy, self.catalogue, complaints, self.lists)
            tables = {
                table: replace(
                    each,
                    exceptions=(*each.exceptions, replace(exception, when=resolved[table])),
                )
                for table, each in policy.tables.items()
            }
            self.policies[exception.policy] = replace(policy, tables=tables)

    def _refuse_second(
        self, name: str, known: Mapping[str, Any], what: str, root: MapNode, complaints: Complaints
    ) -> None:
        if name and name in known:
            complaints.add(
                root.entries["name"], "name-duplicate", f"There are two of the {what} `{name}`."
            )

    def finish(self) -> None:
        """Raise when anything is wrong; otherwise look for warnings across policies."""
        if not any(complaint.level == "error" for complaint in self.found):
            self.found += uncovered_tables(self.policies.values(), self.catalogue)
            return
        # A policy is read once for each of its tables, and tells the same mistake each time.
        raise PolicySetInvalid(sorted(set(self.found), key=_by_place))

    def checked(self) -> Checked:
        """Return what was read."""
        return Checked(
            # Over the values and not the texts: comments and layout decide nothing.
            digest=digest_of({"environment": self.environment, "documents": self.values}),
            catalogue=self.catalogue,
            policies=tuple(sorted(self.policies.values(), key=lambda policy: policy.name)),
            warnings=tuple(sorted(set(self.found), key=_by_place)),
        )

    def policy_set(self) -> PolicySet:
        """Return the set that was read, compiled."""
        checked = self.checked()
        return PolicySet(
            digest=checked.digest,
            environment=self.environment,
            documents=self.documents,
            catalogue=self.catalogue,
            policies=checked.policies,
            index=build_index(checked.policies),
            warnings=checked.warnings,
        )


def _by_place(complaint: Complaint) -> tuple[str, int, int, str, str]:
    return complaint.file, complaint.line, complaint.column, complaint.code, complaint.text
