"""The policy set that a verb was told to use: a folder, an environment, other params."""

from __future__ import annotations

from pathlib import Path

from console.policy.options import taken
from kernel.errors import InputRefused
from kernel.reading import why_unreadable
from rules.engine.policy_set import PolicySet
from rules.load.loader import load, load_documents
from rules.model.errors import PolicySetInvalid
from rules.syntax.complaint import Complaint
from rules.syntax.folder import read_folder, without_tests


def chosen_set(
    folder: Path | None, *, environment: str | None = None, params: Path | None = None
) -> PolicySet:
    """Return the set of the folder that is taken; `params` stands in for its environment's."""
    root = taken(folder)
    if params is None:
        return load(root, environment=environment)
    complaints: list[Complaint] = []
    texts = without_tests(read_folder(root, complaints), complaints)
    if complaints:
        raise PolicySetInvalid(complaints)
    try:
        text = params.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        why = why_unreadable(error)
        raise InputRefused(f"The params file {params} can't be read: {why}.") from error
    texts[f"params/{params.stem}.yaml"] = text
    return load_documents(texts, environment=params.stem)
