"""A running sandbox, a webhook receiver, and plain clients."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from sandbox.server import Sandbox
from tests.sandbox.receiver import Receiver


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox() as running:
        running.dataverse.jobs.longest_delay_seconds = 0.001
        yield running


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    running = Receiver()
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[httpx.AsyncClient]:
    """A client that trusts the sandbox and proves nothing."""
    async with httpx.AsyncClient(verify=sandbox.certificates.client_context()) as plain:
        yield plain


@pytest.fixture
def webapi(sandbox: Sandbox, client: httpx.AsyncClient) -> Callable[..., Any]:
    """Call the Web API as one of the people: webapi("anna", "GET", "mailboxes")."""

    async def call(alias: str, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {sandbox.user_token(alias)}"}
        headers |= options.pop("headers", {})
        url = f"{sandbox.dataverse_url}/api/data/v9.2/{path}"
        return await client.request(method, url, headers=headers, **options)

    return call


async def app_token(sandbox: Sandbox, client: httpx.AsyncClient, *, which: str, url: str) -> str:
    identity = sandbox.guard_identity if which == "guard" else sandbox.sync_identity
    answer = await client.post(
        f"{sandbox.authority_url}/oauth2/v2.0/token",
        data={
            "grant_type": "client_credentials",
            "client_id": identity.client_id,
            "client_secret": identity.secret,
            "scope": f"{url}/.default",
        },
    )
    token: str = answer.json()["access_token"]
    return token


@pytest.fixture
def graph(sandbox: Sandbox, client: httpx.AsyncClient) -> Callable[..., Any]:
    """Call Graph as an application: graph("GET", "users", which="sync")."""

    async def call(method: str, path: str, *, which: str = "sync", **options: Any) -> Any:
        token = await app_token(sandbox, client, which=which, url=sandbox.graph_url)
        headers = {"Authorization": f"Bearer {token}"} | options.pop("headers", {})
        url = path if path.startswith("https:") else f"{sandbox.graph_url}/v1.0/{path}"
        return await client.request(method, url, headers=headers, **options)

    return call
