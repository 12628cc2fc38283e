"""A webhook receiver that answers as it is told and keeps what it got."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import uvicorn


@dataclass(frozen=True)
class Received:
    headers: dict[str, str]
    query: str
    body: bytes

    @property
    def context(self) -> dict[str, Any]:
        context: dict[str, Any] = json.loads(self.body)
        return context

    @property
    def target(self) -> dict[str, Any]:
        return values_of(parameters(self.context)["Target"])

    def names(self) -> tuple[str, str, int, int]:
        context = self.context
        return (
            context["MessageName"],
            context["PrimaryEntityName"],
            context["Stage"],
            context["Mode"],
        )


def parameters(context: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: pair["value"] for pair in context["InputParameters"]}


def values_of(entity: dict[str, Any]) -> dict[str, Any]:
    return {pair["key"]: pair["value"] for pair in entity["Attributes"]}


class Receiver:
    """`answer` decides: a status, or something awaited first."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.answer: Callable[[Received], int | Awaitable[int]] = lambda _: 200

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while True:
            message = await receive()
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        got = Received(headers, scope["query_string"].decode(), body)
        self.received.append(got)
        status = self.answer(got)
        if not isinstance(status, int):
            status = await status
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def start(self) -> None:
        config = uvicorn.Config(
            self, port=0, lifespan="off", log_config=None, ws="none", timeout_graceful_shutdown=1
        )
        config.load()
        self._server = _Quiet(config)
        self._task = asyncio.create_task(self._server.serve())
        while not self._server.started:  # noqa: ASYNC110 - uvicorn has no event for it.
            await asyncio.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}/webhooks/dataverse"

    async def stop(self) -> None:
        self._server.should_exit = True
        await self._task


class _Quiet(uvicorn.Server):
    def capture_signals(self) -> Any:
        import contextlib

        return contextlib.nullcontext()
