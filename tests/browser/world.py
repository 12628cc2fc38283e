"""What the browser looks at: a guard over the sandbox as processes, with something to be seen."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from sandbox import people
from tests.end_to_end.processes import PATIENCE_SECONDS, Processes, Running, free_port, processes

KEY = "a-key-for-the-browser-tests-5f0c1e7a9b"
APPROVED, PENDING = 1, 2
# Whose mailboxes the guard holds approved then.
GRANTED = (people.BOB, people.DESK)
# A name with script in it: whoever shows it unescaped runs it.
HOSTILE = "<script>document.title='run'</script><img src=x onerror=document.title='run'>"


@dataclass(frozen=True, slots=True)
class World:
    """A guard that people sign in to with Entra, and the sandbox it guards."""

    group: Processes
    guard: Running
    settings: Mapping[str, str]

    @property
    def url(self) -> str:
        """Where people open the console."""
        return f"http://localhost:{self.guard.port}"

    def edit(self, alias: str, table: str, record_id: str, columns: Mapping[str, Any]) -> int:
        """Change a row as one of the people; return the status that Dataverse answers."""
        authority = self.settings["authority_url"].rpartition("/")[0]
        trust = self.settings["ca_bundle_file"]
        with httpx.Client(verify=_trusting(trust), timeout=30) as client:
            person = people.BY_ALIAS[alias].address
            token = client.get(f"{authority}/sandbox/token", params={"person": person}).text
            answer = client.patch(
                f"{self.settings['dataverse_url']}/api/data/v9.2/{table}({record_id})",
                json=dict(columns),
                headers={"Authorization": f"Bearer {token}"},
            )
        return answer.status_code

    def command(self, *arguments: str) -> str:
        """Run a command of the product beside the guard and return what it printed."""
        done = self.group.run(*arguments)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout


@contextmanager
def world(folder: Path, *, before: Callable[[Path], None] | None = None) -> Iterator[World]:
    """Yield a guard to which things have happened: edits refused, an approval, mail synced.

    `before` may fill the database file before anything starts.
    """
    with processes(folder, webhook_keys=KEY) as group:
        if before is not None:
            before(folder / "data" / "mailbox-guard.db")
        port = free_port()
        hook = f"http://127.0.0.1:{port}/webhooks/dataverse"
        _, settings = group.sandbox("--register", f"{hook}?code={KEY}")
        group.settings |= settings | {"console_url": f"http://localhost:{port}"}
        guard = group.start("serve", "--port", str(port))
        guard.port = port
        guard.wait_until_ready()
        found = World(group, guard, settings)
        box = people.BOB.mailbox_id
        assert found.edit("bob", "mailboxes", box, {"emailaddress": people.CEO.address}) >= 400
        found.edit("admin", "mailboxes", box, {"emailrouteraccessapproval": APPROVED})
        found.edit("approver", "mailboxes", box, {"emailrouteraccessapproval": APPROVED})
        # The one at the desk is granted; those of the VIPs are held for a second person.
        for held in (people.DESK, people.CEO, people.CFO):
            for word in (PENDING, APPROVED):
                columns = {"emailrouteraccessapproval": word}
                found.edit("approver", "mailboxes", held.mailbox_id, columns)
        _until(lambda: all(one.address in found.command("mailboxes", "list") for one in GRANTED))
        found.command("sync", "run", "--once")
        yield found


def link_of(guard: Running) -> str:
    """Return the one-time link that a guard printed."""
    guard.wait_for("Console, once")
    line = next(one for one in guard.err.splitlines() if one.startswith("Console, once"))
    return line.rpartition(" ")[2]


def _trusting(bundle: str) -> Any:
    import ssl

    return ssl.create_default_context(cafile=bundle)


def _until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.2)  # noqa: TID251 - real processes take real time.
