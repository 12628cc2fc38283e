"""The pages over a database, and browsers without a browser: signed in by link, or by Entra."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from console.gauges import GaugeReader
from console.sign_in import cookies
from console.sign_in.attempts import Attempts
from console.sign_in.authentication import Authentication
from console.sign_in.cookies import Cookies
from console.sign_in.link import OneTimeLink
from console.sign_in.seal import Seal
from console.web.kept import Kept
from console.web.page import ConsolePage
from console.web.parts import Parts
from console.web.site import Site
from console.web.table import PAGES
from guard.obligations.obligation import Means
from kernel import settings
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.principal import AppRole, Principal, Proof
from rules.load.loader import load
from rules.syntax.shipped import shipped_folder

ORIGIN = "http://127.0.0.1:8080"
APPROVER = Principal(
    "approver@contoso.com",
    Proof.ENTRA,
    frozenset({AppRole.APPROVER}),
    "0f2b8b1e-6a53-4f7e-9d35-2c8f5e1a7b90",
)
OPERATOR = Principal(
    "operator@contoso.com",
    Proof.ENTRA,
    frozenset({AppRole.OPERATOR}),
    "1f2b8b1e-6a53-4f7e-9d35-2c8f5e1a7b90",
)
READER = Principal(
    "reader@contoso.com",
    Proof.ENTRA,
    frozenset({AppRole.READER}),
    "2f2b8b1e-6a53-4f7e-9d35-2c8f5e1a7b90",
)


class Console:
    """A site, and the clients that visit it."""

    def __init__(
        self, parts: Parts, authentication: Authentication, pages: tuple[ConsolePage, ...]
    ):
        self.parts = parts
        self.authentication = authentication
        self.app = Site(parts, authentication, pages).app()
        self.state: dict[str, Any] = {}

    def stranger(self, *, host: str = "127.0.0.1") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.app, client=(host, 50_000))
        return httpx.AsyncClient(transport=transport, base_url=ORIGIN)

    async def visitor(self, principal: Principal = OPERATOR) -> httpx.AsyncClient:
        client = self.stranger()
        session_id = await self.authentication.begin(principal)
        client.cookies.set(cookies.SESSION, session_id, domain="127.0.0.1")
        return client


def proof_in(page: str) -> str:
    """Return the proof that the forms of a page carry."""
    found = re.search(r'name="proof" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1]


@pytest.fixture(scope="session")
def shipped() -> Any:
    return load(shipped_folder())


@pytest.fixture
def standing() -> dict[str, Any]:
    """What `/readyz` says."""
    return {"ready": True, "status": "ready", "problem": None, "degraded": [], "brakes": []}


@pytest.fixture
def anchored() -> list[int]:
    """What was anchored: one entry for each time."""
    return []


@pytest.fixture
def open_console(
    guard_database: Database,
    clock: FrozenClock,
    shipped: Any,
    standing: dict[str, Any],
    anchored: list[int],
) -> Callable[..., Console]:
    def open_one(
        pages: tuple[ConsolePage, ...] = PAGES, *, means: Means | None = None, **given: str
    ) -> Console:
        async def state() -> dict[str, Any]:
            return standing

        async def anchor() -> None:
            anchored.append(1)

        parts = Parts(
            settings=settings.load(given),
            database=guard_database,
            clock=clock,
            policies=lambda: shipped,
            state=state,
            gauges=GaugeReader(guard_database, clock).read,
            anchor=anchor,
            kept=Kept(clock),
            means=means,
        )
        authentication = Authentication(
            guard_database,
            clock,
            Cookies(is_secure=given.get("MAILBOX_GUARD_CONSOLE_URL", "").startswith("https")),
            Seal(b"a secret"),
            guesses=Attempts(clock),
            sign_ins=Attempts(clock),
            link=OneTimeLink(clock),
        )
        return Console(parts, authentication, pages)

    return open_one


@pytest.fixture
def console(open_console: Callable[..., Console]) -> Console:
    return open_console()


@pytest.fixture
async def visitor(console: Console) -> AsyncIterator[httpx.AsyncClient]:
    """An operator whom Entra proved."""
    async with await console.visitor() as client:
        yield client
