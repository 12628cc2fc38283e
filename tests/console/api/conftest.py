"""The API over a database of its own, with people of each role at its door."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from console.api.parts import ApiParts
from console.api.surface import PREFIX, api
from console.application import application
from console.gauges import GaugeReader
from console.metrics import PrometheusMetrics
from console.policy_folder import PolicyFolder
from console.sign_in.attempts import Attempts
from console.sign_in.authentication import Authentication
from console.sign_in.cookies import Cookies
from console.sign_in.form_proof import proof_for
from console.sign_in.seal import Seal
from guard.ledger.stored import StoredLedger
from guard.obligations.obligation import Means
from kernel import approvals
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.errors import Unavailable
from kernel.principal import AppRole, Principal, Proof
from kernel.settings import load as load_settings
from rules.model.change import Change, Facts
from tests.console.conftest import TEST
from tests.console.recording import a_folder, an_entry

MAILBOX_ID = "b1000000-0000-4000-8000-000000000001"
USER_ID = "a1000000-0000-4000-8000-000000000001"
ANNA = "anna@contoso.com"
SECRET = "never-to-be-seen-anywhere"


def a_person(*roles: AppRole, proof: Proof = Proof.ENTRA) -> Principal:
    """Return somebody with these app roles, and an object in Entra if they signed in there."""
    object_id = "0f2b8b1e-6a53-4f7e-9d35-2c8f5e1a7b90" if proof is Proof.ENTRA else None
    return Principal("Olga Berg", proof, frozenset(roles), object_id)


EVERYTHING = a_person(*AppRole)


@dataclass(slots=True)
class Bench:
    """The API with all that stands behind it."""

    parts: ApiParts
    client: httpx.AsyncClient
    ledger: StoredLedger
    clock: FrozenClock
    surface: Any

    async def sign_in(self, principal: Principal) -> dict[str, str]:
        """Return the heads with which a browser of that person asks, the proof among them."""
        session_id = await self.parts.knows.begin(principal)
        return {"cookie": f"mailbox-guard={session_id}", "x-guard-proof": proof_for(session_id)}

    async def record(
        self, after: str = "ceo@contoso.com", *, record_id: str = MAILBOX_ID, **public: Any
    ) -> str:
        """Record that somebody set an address, as the policy decides it; return the id."""
        change = Change(
            "mailbox",
            "update",
            record_id,
            {"emailaddress": ANNA},
            {"emailaddress": after},
            frozenset({"emailaddress"}),
        )
        facts = Facts(
            {"new.owner.upn": ANNA, "new.owner.type": "user", "new.owner.id": USER_ID}, {}
        )
        policy_set = self.parts.policies.current
        entry = an_entry(change, facts, policy_set, now=self.clock.now())
        entry.public.update({"initiating_user_id": USER_ID, **public})  # type: ignore[attr-defined]
        await self.ledger.record(entry, policy_set=policy_set)
        self.clock.advance(1)
        return entry.id

    async def approve(self, record_id: str = MAILBOX_ID, address: str = ANNA) -> None:
        """Let a mailbox be held approved."""
        await self.parts.database.write(
            lambda c: approvals.grant(
                c,
                record_id=record_id,
                address=address,
                object_id=f"object of {address}",
                owner_id=USER_ID,
                owner_type="user",
                evidence={"decision_id": "d1"},
                now=self.clock.now(),
            ),
            failpoint=TEST,
        )

    async def get(self, path: str, principal: Principal = EVERYTHING, **params: Any) -> Any:
        """Return what a path answers to that person."""
        heads = await self.sign_in(principal)
        return await self.client.get(f"{PREFIX}{path}", headers=heads, params=params or None)

    async def post(
        self, path: str, principal: Principal = EVERYTHING, **named: Any
    ) -> httpx.Response:
        """Return what comes of an act of that person."""
        heads = await self.sign_in(principal)
        return await self.client.post(f"{PREFIX}{path}", headers=heads, **named)


def make_bench(
    database: Database, clock: FrozenClock, folder: Path, *, means: Means | None = None
) -> tuple[ApiParts, Callable[..., Any]]:
    """Return the parts over a policy folder, and the whole HTTP surface over them."""
    settings = load_settings({"MAILBOX_GUARD_CLIENT_SECRET": SECRET, "MAILBOX_GUARD_DATA_DIR": "x"})
    knows = Authentication(
        database,
        clock,
        Cookies(is_secure=False),
        Seal(b"a secret"),
        guesses=Attempts(clock),
        sign_ins=Attempts(clock),
    )

    async def ready() -> Mapping[str, Any]:
        return {"ready": True, "status": "ready"}

    async def anchor() -> None:
        raise Unavailable("The file of the anchors is away.")

    parts = ApiParts(
        database=database,
        clock=clock,
        policies=PolicyFolder(folder, environment="", pinned_digest="", clock=clock),
        settings=settings,
        readiness=ready,  # type: ignore[arg-type]
        knows=knows,
        anchor=anchor,
        version="1.2.3",
        means=means,
    )

    async def webhook(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("Nothing of this is for the webhook.")

    surface = application(
        webhook,
        readiness=ready,  # type: ignore[arg-type]
        metrics=PrometheusMetrics(),
        gauges=GaugeReader(database, clock).read,
        mounts=[(PREFIX, api(parts))],
    )
    return parts, surface


@pytest.fixture
async def bench(database: Database, clock: FrozenClock, tmp_path: Path) -> AsyncIterator[Bench]:
    parts, surface = make_bench(database, clock, a_folder(tmp_path / "policies"))
    transport = httpx.ASGITransport(app=surface, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://guard") as client:
        yield Bench(parts, client, StoredLedger(database, clock), clock, surface)
