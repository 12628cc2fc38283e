"""The HTTP surface of `serve`: the webhook as a bare ASGI callable, all else on FastAPI.

The hot route is dispatched before the framework sees it: FastAPI's machinery costs more than a
decision (docs/decisions). `/healthz` says that the process lives, `/readyz` that it can decide.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Generic, TypeVar

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse

from console.gauges import Gauges
from console.metrics import CONTENT_TYPE, PrometheusMetrics
from console.problems import answer_with_problems
from kernel.log import Sparing, get_logger

log = get_logger("serve")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
T = TypeVar("T")
Readiness = Callable[[], Awaitable[dict[str, Any]]]

WEBHOOK_PATHS = frozenset({"/webhooks/dataverse", "/webhooks/dataverse/"})
_PATH_SHOWN = 80
_ALIVE = b'{"alive":true}'
_ALIVE_HEADERS = [
    (b"content-type", b"application/json"),
    (b"content-length", str(len(_ALIVE)).encode()),
]


class Joined(Generic[T]):
    """A question that many may ask at once and that is answered once for all of them.

    Whoever has no key may ask it as often as they like, and takes no more than one of us.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]]) -> None:
        self._ask = ask
        self._asked: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """Return the answer to the question under way, or to a new one."""
        if self._asked is None or self._asked.done():
            self._asked = asyncio.create_task(self._answer())
        return await asyncio.shield(self._asked)

    async def _answer(self) -> T:
        return await self._ask()


class Front:
    """Sends each request where it belongs."""

    def __init__(
        self, webhook: Application, rest: Application, mounted: Sequence[str] = ()
    ) -> None:
        self._webhook = webhook
        self._rest = rest
        self._mounted = tuple(f"{one}/" for one in mounted)
        self._sparing = Sparing()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        if scope["type"] == "http":
            path = scope["path"]
            if path in WEBHOOK_PATHS:
                await self._webhook(scope, receive, send)
                return
            if path == "/healthz":
                await send(
                    {"type": "http.response.start", "status": 200, "headers": _ALIVE_HEADERS}
                )
                await send({"type": "http.response.body", "body": _ALIVE})
                return
            if not path.startswith(self._mounted):
                # What is not found behind a mounted path may be a thing, and no URL misspelt.
                send = _telling(path, send, self._sparing)
            await self._rest(scope, receive, send)
            return
        await self._rest(scope, receive, send)


def _telling(path: str, send: Send, sparing: Sparing) -> Send:
    """Return a `send` that says in the log when there is nothing at the path: a URL misspelt."""

    async def tell(message: MutableMapping[str, Any]) -> None:
        if message.get("status") == 404:
            sparing.warn(log, "path_not_found", kind="", path=path[:_PATH_SHOWN])
        await send(message)

    return tell


def application(
    webhook: Application,
    *,
    readiness: Readiness,
    metrics: PrometheusMetrics,
    gauges: Callable[[], Awaitable[Gauges]],
    mounts: Sequence[tuple[str, Application]] = (),
) -> Front:
    """Return the whole surface. `readiness` answers `{"ready": bool, …}`; False becomes 503.

    `mounts` are what answers below a path, the first that fits: the API, and last of all the pages.
    """
    rest = FastAPI(
        title="Mailbox Guard",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    answer_with_problems(rest)

    state_now, gauges_now = Joined(readiness), Joined(gauges)

    @rest.get("/readyz")
    @rest.head("/readyz")
    async def readyz() -> JSONResponse:
        state = await state_now()
        return JSONResponse(state, status_code=200 if state["ready"] else 503)

    @rest.get("/metrics")
    async def metrics_page() -> Response:
        metrics.show(await gauges_now())
        return Response(metrics.render(), media_type=CONTENT_TYPE)

    for path, mounted in mounts:
        rest.mount(path, mounted)
    return Front(webhook, rest, [path for path, _ in mounts if path])
