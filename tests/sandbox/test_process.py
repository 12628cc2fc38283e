"""The sandbox as a process: its settings, one a line, then that it is ready."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx

from sandbox.process import READY, serve
from sandbox.registration import split_key


async def test_settings_are_told_before_readiness() -> None:
    lines: list[str] = []
    stop = asyncio.Event()
    ready = asyncio.Event()

    def tell(line: str) -> None:
        lines.append(line)
        if line == READY:
            ready.set()

    serving = asyncio.create_task(
        serve(
            host="127.0.0.1",
            port=0,
            register="http://127.0.0.1:9/webhooks/dataverse?code=K",
            key=None,
            tell=tell,
            stop=stop,
        )
    )
    await asyncio.wait_for(ready.wait(), 10)
    settings = dict(line.split("=", 1) for line in lines[:-1])
    assert lines[-1] == READY
    assert set(settings) == {
        f"MAILBOX_GUARD_{name}"
        for name in (
            "AUTHORITY_URL",
            "GRAPH_URL",
            "DATAVERSE_URL",
            "TENANT_ID",
            "CLIENT_ID",
            "CLIENT_SECRET",
            "SYNC_CLIENT_ID",
            "SYNC_CLIENT_SECRET",
            "CA_BUNDLE_FILE",
            "DELEGATED_APPROVER_ROLE_ID",
        )
    }
    assert settings["MAILBOX_GUARD_AUTHORITY_URL"].endswith(settings["MAILBOX_GUARD_TENANT_ID"])
    bundle = settings["MAILBOX_GUARD_CA_BUNDLE_FILE"]
    async with httpx.AsyncClient(verify=_trusting(bundle)) as client:
        url = settings["MAILBOX_GUARD_AUTHORITY_URL"] + "/v2.0/.well-known/openid-configuration"
        assert (await client.get(url)).status_code == 200
    stop.set()
    await asyncio.wait_for(serving, 10)
    assert not exists(bundle)


def exists(path: str) -> bool:
    return Path(path).exists()


def _trusting(bundle: str) -> object:
    import ssl

    return ssl.create_default_context(cafile=bundle)


def test_a_key_in_the_url_is_taken_out_of_it() -> None:
    assert split_key("https://g.example.com/w?code=a%20b&x=1") == (
        "https://g.example.com/w?x=1",
        "a b",
    )
    assert split_key("https://g.example.com/w") == ("https://g.example.com/w", None)
