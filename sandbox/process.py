"""`sandbox serve`: the sandbox as a process, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable

from sandbox.registration import split_key
from sandbox.server import Sandbox
from sandbox.tenant import Tenant

READY = "sandbox ready"


async def serve(
    *,
    host: str,
    port: int,
    register: str | None,
    key: str | None,
    tell: Callable[[str], None],
    tenant: Tenant | None = None,
    stop: asyncio.Event | None = None,
) -> None:
    """Serve until `stop` is set or the process is asked to end.

    `tell` gets one line at a time: first every setting that a guard needs, last that the sandbox
    is ready. `register` is the guard's webhook URL; its endpoint and steps are then in place, with
    `key` as header x-guard-key, or with the `code` that the URL itself carries. Ports are `port`,
    `port` + 1 and `port` + 2, or free ones when `port` is 0. `tenant`
    is the sample one unless another is given.
    """
    ending = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    if stop is None:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, ending.set)
    async with Sandbox(host=host, port=port, tenant=tenant) as sandbox:
        if register is not None:
            url, code = split_key(register)
            style = "header" if key is not None else "code"
            sandbox.register(url, key or code or "", style=style)
        for line in sandbox.settings_lines():
            tell(line)
        tell(READY)
        await ending.wait()
