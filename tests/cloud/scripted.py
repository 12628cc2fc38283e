"""A service that answers from a script and remembers what it was asked."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx

from cloud.access import LoggedRequest
from cloud.call import Call, CallClass
from cloud.dataverse import Dataverse
from cloud.graph import Graph
from cloud.origins import Service, dataverse_service, graph_service
from cloud.tenant import Tenant
from cloud.tokens import FixedTokens, Tokens
from cloud.transport import Transport
from kernel.clock import FrozenClock
from kernel.failpoints import NONE, Failpoints, failpoint

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
GRAPH: Service = graph_service("https://graph.example.com")
DATAVERSE: Service = dataverse_service("https://contoso.crm.example.com")
MAILBOX = "0f1e2d3c-0001-4000-8000-00000000000a"
OTHER_MAILBOX = "0f1e2d3c-0002-4000-8000-00000000000b"
ROW = "6f1e2d3c-0003-4000-8000-00000000000c"
USER = "6f1e2d3c-0004-4000-8000-00000000000d"
STEP = failpoint("tests.cloud", "A write that only the tests of this room make.")


class OrderedClock(FrozenClock):
    """A clock that many wait for: whoever wakes first is woken first."""

    def __init__(self, at: datetime) -> None:
        super().__init__(at)
        self._due: list[float] = []

    async def sleep(self, seconds: float) -> None:
        due = self.monotonic() + seconds
        self._due.append(due)
        while True:
            # Whoever is awake goes on until it sleeps too.
            for _ in range(20):
                await asyncio.sleep(0)
            if due <= min(self._due):
                break
        self._due.remove(due)
        self.advance(max(0.0, due - self.monotonic()))


Reply = httpx.Response | Exception | Callable[[httpx.Request], Any]


class Scripted:
    """Answers with the script's replies in order; the last one is repeated for ever."""

    def __init__(
        self,
        *replies: Reply,
        failpoints: Failpoints = NONE,
        tokens: Tokens | None = None,
        clock: FrozenClock | None = None,
    ) -> None:
        self.replies = list(replies)
        self.requests: list[httpx.Request] = []
        self.sent_at: list[float] = []
        self.accesses: list[LoggedRequest] = []
        self.clock = clock or FrozenClock(AT)
        self.transport = Transport(
            [GRAPH, DATAVERSE],
            tokens or FixedTokens(),
            clock=self.clock,
            wire=httpx.MockTransport(self._answer),
            on_access=self.accesses.append,
            failpoints=failpoints,
            jitter=lambda: 1.0,
        )
        self.graph = Graph(self.transport, GRAPH)
        self.dataverse = Dataverse(self.transport, DATAVERSE)
        self.tenant = Tenant(self.transport, GRAPH)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.sent_at.append(self.clock.monotonic() - 1000.0)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if isinstance(reply, Exception):
            raise reply
        if callable(reply):
            answered = reply(request)
            reply = await answered if isinstance(answered, Awaitable) else answered
        assert isinstance(reply, httpx.Response)
        return httpx.Response(reply.status_code, headers=reply.headers, content=reply.content)

    @property
    def request(self) -> httpx.Request:
        """The only request."""
        assert len(self.requests) == 1
        return self.requests[0]

    @property
    def decoded(self) -> list[str]:
        """Every request as `METHOD path?query`, decoded and without the base."""
        return [
            f"{r.method} {r.url.path}{'?' + httpx.URL(r.url).query.decode() if r.url.query else ''}"
            for r in self.requests
        ]


def ok(value: Any = None, **headers: str) -> httpx.Response:
    return httpx.Response(200, json={} if value is None else value, headers=headers)


def no_content() -> httpx.Response:
    return httpx.Response(204)


def problem(status: int, code: str = "", message: str = "", **headers: str) -> httpx.Response:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps({"error": {"code": code, "message": message}})
    return httpx.Response(status, content=body, headers=names)


def a_read(path: str = "/users/anna@contoso.com", **changes: Any) -> Call:
    return Call("GET", GRAPH.base_url + path, **changes)


def a_mail_read(mailbox: str = MAILBOX, **changes: Any) -> Call:
    return a_read(f"/users/{mailbox}/messages/m1", budget=mailbox, **changes)


def a_keyed_write(**changes: Any) -> Call:
    return Call(
        "PATCH",
        f"{DATAVERSE.base_url}/mailboxes({ROW})",
        json={"name": "x"},
        call_class=CallClass.KEYED_WRITE,
        failpoint=STEP,
        budget="tenant",
        **changes,
    )


def a_send(**changes: Any) -> Call:
    return Call(
        "POST",
        f"{GRAPH.base_url}/users/{MAILBOX}/messages/m1/send",
        call_class=CallClass.SEND,
        failpoint=STEP,
        budget=MAILBOX,
        **changes,
    )


async def permitted() -> None:
    """A permit that always allows."""
