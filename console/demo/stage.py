"""The stage of the demo: a sandbox in this process, the guard as a process of its own.

The guard is started and asked by its own command line, so that the demo shows what an operator
would type.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from kernel.errors import GuardError, Unavailable
from kernel.settings import PREFIX
from sandbox import people
from sandbox.people import Sample
from sandbox.server import Sandbox

# Longer than the first wait of a mailbox whose visit failed.
PATIENCE_SECONDS = 60.0
STOP_SECONDS = 15.0
OLD_ADDRESS = f"cfo.old@{people.DOMAIN}"
PENDING = 2
_SIGN_IN = re.compile(r"Open (\S+) and enter the code (\S+)\.")
_LINK = re.compile(r"http://\S+/link/\S+")


class DemoFailed(GuardError):
    """A step of the demo did not end as the product promises."""

    code = "demo-failed"
    exit_code = 1


class Stage:
    """The sandbox, the guard beside it, and its command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sandbox = Sandbox()
        self.key = secrets.token_urlsafe(24)
        self.port = _free_port()
        self._guard: asyncio.subprocess.Process | None = None

    @property
    def webhook_url(self) -> str:
        """Where the sandbox's Dataverse posts its changes."""
        return f"http://127.0.0.1:{self.port}/webhooks/dataverse"

    @property
    def settings(self) -> dict[str, str]:
        """Everything that is set for the guard; all else has its default."""
        return {
            **self.sandbox.settings(),
            f"{PREFIX}WEBHOOK_KEYS": self.key,
            f"{PREFIX}DATA_DIR": str(self.folder),
            f"{PREFIX}DELEGATED_APPROVER_ROLE_ID": people.role_id(people.DELEGATED_APPROVER),
        }

    async def open(self) -> None:
        """Start both sides and introduce them. Raises DemoFailed when the guard does not start."""
        self._let_an_address_be_old()
        await self.sandbox.start()
        log = (self.folder / "guard.log").open("wb")
        self._guard = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mailbox_guard",
            "serve",
            "--port",
            str(self.port),
            env=self._environment(),
            stdout=log,
            stderr=log,
        )
        log.close()
        await self.until(self._is_ready, "the guard to be ready")
        await self.command("dataverse", "register", "--url", self.webhook_url, "--by", "the demo")

    @property
    def console_link(self) -> str | None:
        """The link by which one comes to the console once, as the guard printed it."""
        log = (self.folder / "guard.log").read_text("utf-8", errors="replace")
        found = _LINK.search(log)
        return found[0] if found is not None else None

    async def close(self) -> None:
        """Stop both sides."""
        if self._guard is not None and self._guard.returncode is None:
            self._guard.terminate()
            try:
                await asyncio.wait_for(self._guard.wait(), STOP_SECONDS)
            except TimeoutError:
                self._guard.kill()
        await self.sandbox.stop()

    async def command(self, *arguments: str) -> Any:
        """Run a command of the product with `--output json` and return what it printed."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mailbox_guard",
            *arguments,
            env=self._environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        if process.returncode not in (0, 1):
            raise DemoFailed(
                f"`mailbox-guard {' '.join(arguments)}` ended with {process.returncode}: "
                f"{err.decode(errors='replace').strip()}"
            )
        return json.loads(out) if "json" in arguments else out.decode()

    async def signed_in(self, person: Sample, *arguments: str) -> Any:
        """Run a command of the product that asks who gives it, and sign in as that person.

        Raises DemoFailed when it asks nobody, or ends otherwise than by 0.
        """
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "mailbox_guard",
            *arguments,
            env=self._environment(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr is not None  # noqa: S101 - it is piped.
        told = ""
        while (found := _SIGN_IN.search(told)) is None:
            line = (await process.stderr.readline()).decode(errors="replace")
            if not line:
                raise DemoFailed(f"`mailbox-guard {' '.join(arguments)}` asks nobody: {told}")
            told += line
        await self._enter_code(found[1], found[2], person)
        out, err = await process.communicate()
        if process.returncode != 0:
            raise DemoFailed(
                f"`mailbox-guard {' '.join(arguments)}` ended with {process.returncode}: "
                f"{err.decode(errors='replace').strip()}"
            )
        return json.loads(out)

    async def _enter_code(self, page: str, code: str, person: Sample) -> None:
        import httpx

        trust = ssl.create_default_context(cafile=str(self.sandbox.ca_bundle_file))
        async with httpx.AsyncClient(verify=trust, trust_env=False) as browser:
            await browser.post(page, data={"user_code": code, "upn": person.address})

    def _let_an_address_be_old(self) -> None:
        """Let the rows of the chief financial officer have an address of before."""
        person = people.CFO
        for table, record_id, column in (
            ("mailbox", person.mailbox_id, "emailaddress"),
            ("systemuser", person.user_id, "internalemailaddress"),
        ):
            row = self.sandbox.row(table, record_id) or {}
            old = {column: OLD_ADDRESS, "emailrouteraccessapproval": PENDING}
            self.sandbox.dataverse.insert(table, {**row, **old})

    async def until(
        self,
        condition: Callable[[], Awaitable[bool]],
        what: str,
        *,
        progress: Callable[[], object] = lambda: None,
    ) -> None:
        """Wait for something that must come, however long, while there is some progress.

        Raises DemoFailed when `progress` has been the same for too long.
        """
        loop, seen = asyncio.get_running_loop(), progress()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS) as limit:
                while not await condition():
                    if (now := progress()) != seen:
                        seen = now
                        limit.reschedule(loop.time() + PATIENCE_SECONDS)
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise DemoFailed(
                f"The demo waited {PATIENCE_SECONDS:g} seconds in vain for {what}.",
                hint=f"The guard's log is in {self.folder / 'guard.log'}.",
            ) from None

    async def _is_ready(self) -> bool:
        import httpx

        if self._guard is not None and self._guard.returncode is not None:
            log = (self.folder / "guard.log").read_text("utf-8", errors="replace")
            raise Unavailable(f"The guard did not start:\n{log.strip()}")
        try:
            async with httpx.AsyncClient(trust_env=False) as client:
                answer = await client.get(f"http://127.0.0.1:{self.port}/readyz")
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK

    def _environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(PREFIX)}
        return {**inherited, **self.settings}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
