"""Real processes of the product: started with their settings, watched, and always ended.

A process writes stdout and stderr into files, so that nothing blocks and a failed test can show
what was said.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 30.0
PREFIX = "MAILBOX_GUARD_"
COMMAND = (sys.executable, "-m", "console")


def free_port() -> int:
    """Return a port of 127.0.0.1 that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with these settings and no others; names are lower case."""
    inherited = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
    given = {PREFIX + name.upper(): text for name, text in settings.items()}
    # The package is found from any directory, as after an installation.
    return inherited | given | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@dataclass(slots=True)
class Running:
    """One process; `name` tells its logs apart."""

    name: str
    popen: subprocess.Popen[bytes]
    folder: Path
    port: int | None = None

    @property
    def out(self) -> str:
        """What it wrote to stdout so far."""
        return self._read("out")

    @property
    def err(self) -> str:
        """What it wrote to stderr so far."""
        return self._read("err")

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.port}"

    def _read(self, which: str) -> str:
        return (self.folder / f"{self.name}.{which}").read_text("utf-8", "replace")

    def wait_for(self, text: str, *, seconds: float = PATIENCE_SECONDS) -> None:
        """Return once the text was written; fail with all output when it ends or takes too long."""
        until = time.monotonic() + seconds
        while text not in self.out and text not in self.err:
            if self.popen.poll() is not None:
                raise AssertionError(f"It ended with {self.popen.returncode}.\n{self.shown()}")
            if time.monotonic() > until:
                raise AssertionError(f"It never wrote {text!r}.\n{self.shown()}")
            _pause()

    def wait(self, *, seconds: float = PATIENCE_SECONDS) -> int:
        """Return the exit code once the process has ended by itself."""
        return self.popen.wait(seconds)

    def terminate(self, *, seconds: float = PATIENCE_SECONDS) -> int:
        """Ask the process to end and return its exit code."""
        self.popen.terminate()
        return self.popen.wait(seconds)

    def hang_up(self) -> None:
        """Send SIGHUP."""
        self.popen.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End the process as a power cut would."""
        self.popen.kill()
        self.popen.wait(PATIENCE_SECONDS)

    def shown(self) -> str:
        """Return all output, for people."""
        return f"--- {self.name}: stdout\n{self.out}\n--- {self.name}: stderr\n{self.err}"

    def readiness(self) -> tuple[int, dict[str, Any]]:
        """Return status and body of /readyz."""
        answer = httpx.get(f"{self.url}/readyz", timeout=10)
        return answer.status_code, answer.json()

    def wait_until_ready(self, **wanted: Any) -> dict[str, Any]:
        """Return the body of /readyz once it is ready and holds these values."""
        until = time.monotonic() + PATIENCE_SECONDS
        state: dict[str, Any] = {}
        while time.monotonic() < until:
            if self.popen.poll() is not None:
                raise AssertionError(f"It ended with {self.popen.returncode}.\n{self.shown()}")
            try:
                status, state = self.readiness()
            except httpx.TransportError:
                status = 0
            if status == 200 and wanted.items() <= state.items():
                return state
            _pause()
        raise AssertionError(f"It never was ready with {wanted}: {state}.\n{self.shown()}")


@dataclass(slots=True)
class Processes:
    """The processes of one test, with the settings they share."""

    folder: Path
    settings: dict[str, str]
    running: list[Running] = field(default_factory=list)

    def start(self, *arguments: str, **settings: str) -> Running:
        """Start a command in the background; `settings` are added for it alone."""
        name = f"{len(self.running)}-{'-'.join(a for a in arguments[:2] if a[0] != '-')}"
        with (
            (self.folder / f"{name}.out").open("wb") as out,
            (self.folder / f"{name}.err").open("wb") as err,
        ):
            popen = subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=self.folder,
                env=environment(self.settings | settings),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        started = Running(name, popen, self.folder)
        self.running.append(started)
        return started

    def run(
        self, *arguments: str, seconds: float = 60, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*COMMAND, *arguments],
            cwd=self.folder,
            env=environment(self.settings | settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
        )

    def serve(self, *arguments: str, **settings: str) -> Running:
        """Start `serve` on a free port and return it once it is ready."""
        port = free_port()
        started = self.start("serve", "--port", str(port), *arguments, **settings)
        started.port = port
        started.wait_until_ready()
        return started

    def sync_loop(self, **settings: str) -> Running:
        """Start the sync loop alone and return it once it runs."""
        started = self.start("sync", "run", **settings)
        started.wait_for("The sync loop runs")
        return started

    def sandbox(self, *arguments: str) -> tuple[Running, dict[str, str]]:
        """Start the sandbox on free ports; return it with the settings of a guard for it."""
        started = self.start("sandbox", "serve", *arguments)
        started.wait_for("sandbox ready")
        lines = [line.partition("=") for line in started.out.splitlines()]
        return started, {
            name.removeprefix(PREFIX).lower(): text
            for name, _, text in lines
            if name.startswith(PREFIX)
        }

    def end(self) -> None:
        """End whatever still runs, by its id."""
        for one in reversed(self.running):
            if one.popen.poll() is None:
                one.popen.terminate()
        for one in self.running:
            try:
                one.popen.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                one.kill()


@contextmanager
def processes(folder: Path, **settings: str) -> Iterator[Processes]:
    """Yield the processes of a test over a data directory of their own; end them all after it."""
    folder.mkdir(parents=True, exist_ok=True)
    group = Processes(folder, {"data_dir": str(folder / "data")} | settings)
    try:
        yield group
    finally:
        group.end()


def _pause() -> None:
    time.sleep(0.05)  # noqa: TID251 - a real process takes real time.
