"""The JSON Schema pass: what `policy validate --schema` adds to the loader's own pass.

jsonschema is imported when the pass runs, because it costs more than all the rest of validating.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rules.load.loader import catalogue_of
from rules.model.catalogue import Catalogue
from rules.model.errors import PolicySetInvalid
from rules.schema.complaints import complaints_from
from rules.schema.generate import schemas
from rules.syntax.complaint import Complaint
from rules.syntax.folder import is_test, read_folder
from rules.syntax.nodes import read_whole
from rules.syntax.shipped import CATALOGUE_FILE

_BY_KIND = {
    "Policy": "policy", "List": "list", "Exception": "exception", "Params": "params",
    "Catalogue": "catalogue", "Test": "test",
}  # fmt: skip


def added_complaints(
    folder: Path, complaints: Sequence[Complaint], *, only: frozenset[str] | None = None
) -> tuple[Complaint, ...]:
    """Return the loader's complaints and what the JSON Schemas say beyond them.

    `only` limits the pass to these paths, such as the files that have a complaint already. A line
    of which the loader complains is not complained of again.
    """
    try:
        catalogue = catalogue_of(folder)
    except PolicySetInvalid:
        catalogue = catalogue_of(None)
    texts = read_folder(folder, [])
    chosen = {path: text for path, text in texts.items() if only is None or path in only}
    known = {(one.file, one.line) for one in complaints if one.level == "error"}
    found = [
        one for one in check_texts(chosen, catalogue) if (one.file, one.line) not in known
    ]  # fmt: skip
    return (*complaints, *sorted(found, key=lambda one: one.place))


def check_texts(texts: Mapping[str, str], catalogue: Catalogue) -> list[Complaint]:
    """Return what the JSON Schemas say about these files, in the words of the loader."""
    import jsonschema  # See the module's docstring.

    known = schemas(catalogue)
    validators: dict[str, Any] = {}
    complaints: list[Complaint] = []
    for path, text in texts.items():
        root = read_whole(path, text, complaints)
        if root is None:
            continue
        value = root.value()
        kind = _kind(path, value)
        if kind not in validators:
            validators[kind] = jsonschema.Draft202012Validator(known[f"{kind}.schema.json"])
        for error in validators[kind].iter_errors(value):
            complaints += complaints_from(error, root, path)
    return list(dict.fromkeys(complaints))


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
