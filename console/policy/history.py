"""What the Git history of a policy folder tells: which policies began without being enforced."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

_SECONDS = 10


def ever_audited(folder: Path) -> frozenset[str] | None:
    """Return the names of the policies whose file once said `mode: audit` or `mode: warn`.

    None when there is no history to ask: no Git, no repository, or a shallow copy of one.
    """
    shallow = _git(folder, "rev-parse", "--is-shallow-repository")
    if shallow is None or shallow.strip() != "false":
        return None
    found = _git(
        folder, "log", "--no-ext-diff", "--no-textconv", "--format=", "--name-only",
        "-G", "^mode: *(audit|warn)", "--", ".",
    )  # fmt: skip
    if found is None:
        return None
    return frozenset(Path(line).stem for line in found.splitlines() if line.endswith("ml"))


def _git(folder: Path, *arguments: str) -> str | None:
    environ = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
    try:
        # No pager, no hooks and no external diff of the repository is run.
        done = subprocess.run(  # noqa: S603
            ["git", "--no-pager", "-c", "core.fsmonitor=false", "-C", str(folder), *arguments],  # noqa: S607
            capture_output=True, text=True, timeout=_SECONDS, env=environ, check=False,
            stdin=subprocess.DEVNULL, errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
