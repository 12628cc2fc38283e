"""Which tests fit a fitted folder: found out by running them, before anything is written."""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kernel.errors import Bug
from rules.testing.run import run_folder

_CASE = re.compile(r"^  - name:", re.MULTILINE)
_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class PassingFolder:
    """The files of a folder whose tests all pass; how many cases pass, and how many fell out."""

    texts: Mapping[str, str]
    cases: int
    left_out: int


def passing(texts: Mapping[str, str]) -> PassingFolder:
    """Return the folder with the cases that pass; those of another organisation's names fall out.

    Raises PolicySetInvalid when the policies do not load.
    """
    kept, left_out = dict(texts), 0
    with tempfile.TemporaryDirectory(prefix="mailbox-guard-") as folder:
        for _ in range(_ROUNDS):
            write_all(Path(folder), kept)
            run = run_folder(Path(folder))
            if not run.failed and not run.complaints:
                return PassingFolder(kept, len(run.cases), left_out)
            wrong: dict[str, set[int]] = defaultdict(set)
            for result in run.failed:
                wrong[result.file].add(result.line)
            for complaint in run.complaints:
                # What cannot be used says nothing of its cases: the whole file falls out.
                wrong[_relative(complaint.file, folder)] = set()
            for file, lines in wrong.items():
                left_out += max(1, len(lines))
                text = without_cases(kept[file], lines) if lines else None
                (Path(folder) / file).unlink()
                if text is None:
                    del kept[file]
                else:
                    kept[file] = text
    raise Bug("The tests of a fitted policy folder do not settle.")


def without_cases(text: str, lines: set[int]) -> str | None:
    """Return a test file without the cases that begin at these lines; None when none is left."""
    starts = [found.start() for found in _CASE.finditer(text)]
    kept, left = [text[: starts[0]] if starts else text], 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        first = text.count("\n", 0, start) + 1
        last = first + text.count("\n", start, end)
        if not any(first <= line < max(last, first + 1) for line in lines):
            kept.append(text[start:end])
            left += 1
    return "".join(kept) if left else None


def write_all(folder: Path, texts: Mapping[str, str]) -> None:
    """Write files below a folder, which are made where they are missing."""
    for path, text in texts.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


def _relative(file: str, folder: str) -> str:
    path = Path(file)
    return path.relative_to(folder).as_posix() if path.is_absolute() else file
