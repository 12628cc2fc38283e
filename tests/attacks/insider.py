"""Somebody inside the sample tenant who tries something, and the guard that stands before it.

The guard is what `serve` puts together, over the sandbox, with the shipped policies.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Any

import httpx

from guard.ledger.listing import list_decisions
from kernel import approvals
from kernel.approvals import Approval
from sandbox import people
from tests.crashes.acts import obligations, reconciliation, watch_on_evidence
from tests.crashes.guarded_organization import GuardedOrganization

API = "/api/data/v9.2"
PAST_SYNCHRONOUS = {"MSCRM.BypassBusinessLogicExecution": "CustomSync"}
PAST_EVERY_STEP = {"MSCRM.BypassBusinessLogicExecution": "CustomSync,CustomAsync"}


@dataclass(frozen=True, slots=True)
class Tried:
    """What Dataverse answered."""

    status: int
    text: str = ""

    @property
    def went_through(self) -> bool:
        return self.status < 300


@dataclass(slots=True)
class Insider:
    """One of the people, with the token that they have signed in for."""

    guarded: GuardedOrganization
    alias: str
    token: str = field(init=False)

    def __post_init__(self) -> None:
        self.token = self.guarded.sandbox.user_token(self.alias)

    @classmethod
    def with_secret(cls, guarded: GuardedOrganization, client_id: str) -> Insider:
        """Return somebody who has the secret of an application."""
        found = cls(guarded, people.ADMIN.alias)
        sandbox = guarded.sandbox
        application = sandbox.directory.applications[client_id]
        claims = {
            "appid": client_id,
            "idtyp": "app",
            "oid": application.object_id,
            "sub": application.object_id,
            "tid": sandbox.directory.tenant_id,
            "ver": "1.0",
        }
        found.token = sandbox.tokens.issue(sandbox.dataverse_url, claims)
        return found

    async def patch(self, path: str, values: dict[str, Any]) -> Tried:
        """Change columns of what a path names."""
        return await self._send("PATCH", f"/{path}", values, {})

    async def update(
        self,
        entity_set: str,
        record_id: str,
        values: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> Tried:
        """Change columns of a row, and let what follows from it come to its end."""
        return await self._send("PATCH", f"/{entity_set}({record_id})", values, headers or {})

    async def create(
        self, entity_set: str, values: dict[str, Any], headers: dict[str, str] | None = None
    ) -> Tried:
        """Create a row."""
        return await self._send("POST", f"/{entity_set}", values, headers or {})

    async def _send(
        self, method: str, path: str, values: dict[str, Any], headers: dict[str, str]
    ) -> Tried:
        sandbox = self.guarded.sandbox
        trust = ssl.create_default_context(cafile=str(sandbox.ca_bundle_file))
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        if method == "PATCH":
            sent["If-Match"] = "*"
        async with httpx.AsyncClient(verify=trust, trust_env=False, timeout=60) as client:
            answer = await client.request(
                method, f"{sandbox.dataverse_url}{API}{path}", json=values, headers=sent
            )
        await sandbox.settle()
        self.guarded.clock.advance(1)
        return Tried(answer.status_code, answer.text)


async def all_is_done(guarded: GuardedOrganization) -> None:
    """Let the guard carry out what it owes, and look by itself at rows and evidence."""
    await obligations(guarded)
    await reconciliation(guarded)
    await obligations(guarded)
    await watch_on_evidence(guarded)


def approval(guarded: GuardedOrganization, mailbox_id: str) -> Approval | None:
    """Return what the guard holds of a mailbox."""
    return guarded.running.database.read_now(lambda c: approvals.find(c, mailbox_id))


def is_approved(guarded: GuardedOrganization, mailbox_id: str) -> bool:
    """Return whether the mailbox may be synced now."""
    held = approval(guarded, mailbox_id)
    return held is not None and held.is_approved(guarded.clock.now())


def reads_mail_of(guarded: GuardedOrganization) -> set[str]:
    """Return the Exchange objects whose mail may be read now."""
    now = guarded.clock.now()
    held = guarded.running.database.read_now(lambda c: approvals.list_approved(c, now=now))
    return {one.object_id for one in held}


def newest_decision(guarded: GuardedOrganization) -> dict[str, Any]:
    """Return the newest decision, as it is listed."""
    (newest,) = guarded.running.database.read_now(lambda c: list_decisions(c, limit=1))
    return newest


def rules_of_newest(guarded: GuardedOrganization) -> set[str]:
    """Return the rules that made the newest decision."""
    return set(newest_decision(guarded)["rules"])
