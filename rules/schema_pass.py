"""The JSON Schema pass: what `policy validate --schema` adds to the loader's own pass.

jsonschema is imported when the pass runs, because it costs more than all the rest of validating.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rules.catalogue import Catalogue
from rules.complaint import Complaint
from rules.folder import is_test, read_folder
from rules.nodes import ListNode, MapNode, Node, read_nodes
from rules.schema import schemas
from rules.shipped import CATALOGUE_FILE

_BY_KIND = {
    "Policy": "policy", "List": "list", "Exception": "exception", "Params": "params",
    "Catalogue": "catalogue", "Test": "test",
}  # fmt: skip


def schema_complaints(
    folder: Path, catalogue: Catalogue, *, only: frozenset[str] | None = None
) -> tuple[Complaint, ...]:
    """Return what the JSON Schemas say about the files of a folder.

    `only` limits the pass to these paths, such as the files that have a complaint already.
    """
    found: list[Complaint] = []
    texts = read_folder(folder, found)
    chosen = {path: text for path, text in texts.items() if only is None or path in only}
    return tuple(sorted([*found, *check_texts(chosen, catalogue)]))


def check_texts(texts: Mapping[str, str], catalogue: Catalogue) -> list[Complaint]:
    """Return what the JSON Schemas say about these files."""
    import jsonschema  # See the module's docstring.

    known = schemas(catalogue)
    validators: dict[str, Any] = {}
    complaints: list[Complaint] = []
    for path, text in texts.items():
        root = read_nodes(path, text, complaints)
        if root is None:
            continue
        value = root.value()
        kind = _kind(path, value)
        if kind not in validators:
            validators[kind] = jsonschema.Draft202012Validator(known[f"{kind}.schema.json"])
        for error in _leaves(validators[kind].iter_errors(value)):
            node = _node_at(root, list(error.absolute_path))
            text = error.message if len(error.message) < 300 else f"{error.message[:300]} …"
            complaints.append(
                Complaint(path, node.line, node.column, f"schema-{error.validator}", text)
            )
    return complaints


def _leaves(errors: Any) -> Iterator[Any]:
    for error in errors:
        if error.validator in ("allOf", "then", "else", "if") and error.context:
            yield from _leaves(error.context)
        else:
            yield error


def _kind(path: str, value: Any) -> str:
    file = path.rsplit("/", 1)[-1]
    if is_test(path):
        return "test"
    if file == CATALOGUE_FILE:
        return "catalogue"
    if "params" in path.split("/")[:-1][-1:]:
        return "params"
    # A file that does not say what it is, or says nothing known, is meant to be a policy.
    return _BY_KIND.get(str(value.get("kind")), "policy") if isinstance(value, dict) else "policy"


def _node_at(root: Node, path: list[str | int]) -> Node:
    node = root
    for step in path:
        if isinstance(node, MapNode) and step in node.entries:
            node = node.entries[str(step)]
        elif isinstance(node, ListNode) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
        else:
            break
    return node
