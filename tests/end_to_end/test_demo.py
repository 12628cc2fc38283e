"""The demo tells the whole story, ends as promised, and prints the README's table.

What it leaves running is looked at meanwhile: no text that a person reads shows a word of Python,
and the guard's log names nobody.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sandbox import people

ROOT = Path(__file__).resolve().parents[2]
PYTHON = re.compile(r"\b(?:True|False|None|NoneType|Traceback)\b|[{\[]'|<[\w.]+ object at")
EVERYBODY = re.compile(r"[\w.+-]+@[\w-]+\.\w|" + "|".join(s.title for s in people.SAMPLES), re.I)


class Demo:
    """A demo that keeps everything running, with a home and temporary files of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {
            **os.environ, "HOME": str(folder), "TMPDIR": str(folder), "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        self._out = folder.parent / "demo.out"
        with self._out.open("wb") as out:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "console", "demo", "--keep"],
                cwd=folder, env=self.environment, stdout=out, stderr=out,
            )  # fmt: skip

    @property
    def told(self) -> str:
        return self._out.read_text("utf-8")

    def wait_for(self, text: str, *, seconds: float) -> None:
        until = time.monotonic() + seconds
        while text not in self.told:
            assert self._popen.poll() is None, self.told
            assert time.monotonic() < until, self.told
            threading.Event().wait(0.2)

    def command(self, *arguments: str) -> str:
        """Return what a command prints for a person, to stdout and stderr, on what was kept."""
        exported = dict(re.findall(r"export (\w+)=(.*)", self.told))
        done = subprocess.run(
            [sys.executable, "-m", "console", *arguments],
            cwd=self.folder, env={**self.environment, **exported}, capture_output=True, text=True,
            timeout=60,
        )  # fmt: skip
        assert done.returncode in (0, 1), done.stderr
        return done.stdout + done.stderr

    def end(self) -> int:
        self._popen.send_signal(signal.SIGINT)
        return self._popen.wait(60)

    def kill(self) -> None:
        self._popen.kill()
        self._popen.wait(10)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    folder = tmp_path / "home"
    folder.mkdir()
    started = Demo(folder)
    yield started
    started.kill()


def _commands(demo: Demo) -> Iterator[tuple[str, ...]]:
    yield ("decisions", "list")
    yield ("decisions", "list", "--each", "--output", "csv")
    for one in json.loads(demo.command("decisions", "list", "--output", "json")):
        yield ("decisions", "show", one["id"])
    rejected = json.loads(
        demo.command("decisions", "list", "--decision", "reject", "--output", "json")
    )
    yield ("decisions", "replay", rejected[0]["id"])
    yield ("decisions", "to-test", rejected[0]["id"])
    yield ("exceptions", "draft", rejected[0]["id"])
    yield ("policy", "explain", rejected[0]["id"])
    yield ("decisions", "verify")
    yield ("mailboxes", "list")
    yield ("mailboxes", "show", people.BOB.mailbox_id)
    yield ("brakes", "list")
    yield ("scan",)
    yield ("exceptions", "list")
    yield ("sync", "run", "--once")
    yield ("policy", "simulate")
    yield ("policy", "validate")
    yield ("policy", "lint")
    yield ("policy", "test")
    yield ("policy", "fields", "owner")
    yield ("policy", "operators")
    yield ("db", "check")


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_demo_ends_as_promised_in_words(demo: Demo) -> None:
    demo.wait_for("Interrupt this to end it.", seconds=150)
    story = demo.told.partition("Everything keeps running.")[0]
    assert PYTHON.search(story) is None, story
    _is_as_in_the_readme(story)
    link = re.search(r"console +(http://127\.0\.0\.1:\d+/link/\S+)", demo.told)
    assert link is not None
    assert httpx.get(link[1]).status_code == 200

    for arguments in _commands(demo):
        shown = demo.command(*arguments)
        found = PYTHON.search(shown)
        assert found is None, f"{' '.join(arguments)}: {shown[max(found.start() - 200, 0) :][:400]}"

    (log,) = demo.folder.glob("*/guard.log")
    written = log.read_text("utf-8")
    assert '"change_refused"' in written
    assert EVERYBODY.search(written) is None, EVERYBODY.search(written)

    assert demo.end() == 0, demo.told
    assert "Traceback" not in demo.told
    assert list(demo.folder.iterdir()) == [], "the demo should leave nothing behind"


def _is_as_in_the_readme(story: str) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    shown = re.search(r"```text\n( +what happened.*?)```", readme, flags=re.DOTALL)
    assert shown is not None
    told = [line for line in story.splitlines() if line][-len(shown[1].splitlines()) :]
    assert [_columns(line) for line in told] == [_columns(line) for line in shown[1].splitlines()]


def _columns(line: str) -> list[str]:
    """Return number, scene and outcome; what was seen may differ in a count."""
    return re.split(r"\s{2,}", line.strip())[:3]
