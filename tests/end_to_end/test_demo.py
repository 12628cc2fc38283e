"""The demo tells the whole story, ends as promised, and prints the README's table."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_demo_ends_as_promised_in_under_a_minute(tmp_path: Path) -> None:
    environment = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "console", "demo"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == [], "the demo should leave nothing behind"
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = re.search(r"```text\n(   what happened.*?)```", readme, flags=re.DOTALL)
    assert shown is not None
    told = [line for line in done.stdout.splitlines() if line][-len(shown[1].splitlines()) :]
    assert [_columns(line) for line in told] == [_columns(line) for line in shown[1].splitlines()]


def _columns(line: str) -> list[str]:
    """Return number, scene and outcome; what was seen may differ in a count."""
    return re.split(r"\s{2,}", line.strip())[:3]
