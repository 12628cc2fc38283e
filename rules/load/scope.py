"""What the conditions of one policy on one table may refer to: fields, params and lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rules.load.keys import Complaints
from rules.model.catalogue import RECORD_ROOTS, Arrival, Catalogue, FieldReference
from rules.syntax.complaint import FIELDS_LISTED, closest
from rules.syntax.nodes import Node, ScalarNode


@dataclass(frozen=True, slots=True)
class NamedList:
    """The items of a list file as written; `caseless` makes every comparison with it caseless.

    `nodes` are the same items with their places in `file`.
    """

    items: tuple[str, ...]
    caseless: bool
    file: str = ""
    nodes: tuple[ScalarNode, ...] = ()


@dataclass(slots=True)
class Scope:
    """What conditions of one policy on one table may refer to."""

    catalogue: Catalogue
    table: str
    params: Mapping[str, Any]
    lists: Mapping[str, NamedList]
    complaints: Complaints
    # How many conditions the rule has so far; each rule begins anew.
    used: int = field(default=0)
    said: str = field(default="")
    """The field of the condition being read, as the author wrote it."""
    part: str = field(default="")
    """The part of it that is asked for, if one is."""

    def reference(self, node: Node, path: str) -> FieldReference | None:
        """Return the field of that path; complain when there is none."""
        found = self.catalogue.resolve(self.table, path)
        if found is None:
            self._complain_field(node, path)
        elif found.field.arrives is Arrival.NEVER:
            self.complain_absent(node, path)
        return found

    def complain_absent(self, node: Node, path: str) -> None:
        """Complain that nothing ever tells the value of a field."""
        entity = self.catalogue.entities.get(self.table)
        if entity is not None and entity.arrives is Arrival.NEVER:
            return  # Said of the entity, once.
        self.complaints.add(
            node, "field-never-arrives",
            f"`{path[:80]}` is never known: no delivery carries it, and nothing looks it up.",
            hint="Decide by another field; `mailbox-guard policy fields` says how each arrives.",
        )  # fmt: skip

    def _complain_field(self, node: Node, path: str) -> None:
        on = f" of {self.table}" if path.partition(".")[0] in RECORD_ROOTS else ""
        elsewhere = [name for name in self.catalogue.entities if self.catalogue.resolve(name, path)]
        if elsewhere:
            self.complaints.add(
                node,
                "field-misplaced",
                f"`{path[:80]}` is not a field of {self.table}.",
                hint=f"It is one of {', '.join(elsewhere)}; split the policy by entity.",
            )
            return
        known = self.catalogue.spellings(self.table, like=path)
        self.complaints.add(
            node, "field-unknown", f"`{path[:80]}` is not a field{on}.",
            hint=closest(path, known) or FIELDS_LISTED,
        )  # fmt: skip
