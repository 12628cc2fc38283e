"""What probes ask: the settings, both identities, the database and the policies, each once.

Whatever cannot be had is kept as the error that says why; nothing is written anywhere.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import ssl
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from cloud.dataverse import Role, WhoAmI
from cloud.errors import BadAnswer
from console.wiring.connections import Connections
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import GuardError, Unavailable
from kernel.settings import Secret, Settings
from kernel.words import DocumentedWord
from rules.engine.policy_set import PolicySet

T = TypeVar("T")


class Prerequisite(DocumentedWord):
    """What must be there for a probe to be asked."""

    GRAPH = "graph", "Microsoft Graph answers, and Entra gives the guard a token for it."
    DATAVERSE = "dataverse", "Dataverse answers, and Entra gives the guard a token for it."
    DATABASE = "database", "The database can be read."
    POLICIES = "policies", "The policy folder loads."


@dataclass(frozen=True, slots=True)
class OwnApplication:
    """One application of ours: what it is called here, what it proves itself with, its clients.

    `problem` says why it has no clients.
    """

    name: str
    client_id: str
    secret: Secret
    certificate: Path | None
    secret_ends: str
    connections: Connections | None = None
    problem: GuardError | None = None


@dataclass(slots=True)
class Installation:
    """One installation, as far as it can be reached. Belongs to one event loop.

    `mailboxes` is None where the guard's identity reads the mailboxes as well. `public_trust` is
    what the outside must be able to verify our certificate with. `webhook_url` is where Dataverse
    is to deliver, if somebody says so.
    """

    settings: Settings
    clock: Clock
    guard: OwnApplication
    mailboxes: OwnApplication | None = None
    database: Database | None = None
    database_problem: GuardError | None = None
    policies: PolicySet | None = None
    policies_problem: GuardError | None = None
    public_trust: ssl.SSLContext | None = None
    webhook_url: str = ""
    lacking: dict[Prerequisite, str] = field(default_factory=dict)
    _known: dict[str, asyncio.Task[Any]] = field(default_factory=dict)

    @property
    def identities(self) -> tuple[OwnApplication, ...]:
        """Return every identity there is."""
        return (self.guard,) if self.mailboxes is None else (self.guard, self.mailboxes)

    @property
    def reader(self) -> OwnApplication:
        """Return the identity that reads mailboxes."""
        return self.mailboxes or self.guard

    @property
    def is_shared(self) -> bool:
        """Return whether one application both guards and reads the mailboxes."""
        return self.reader.client_id.lower() == self.guard.client_id.lower()

    def connected(self) -> Connections:
        """Return the guard's clients. Raises the error that says why there are none."""
        return clients_of(self.guard)

    async def granted(self, identity: OwnApplication) -> frozenset[str]:
        """Return the application permissions in an identity's token for Graph.

        Raises BadAnswer when the token does not tell.
        """

        async def ask() -> frozenset[str]:
            connections = clients_of(identity)
            token = await connections.tokens.get(connections.scopes[0])
            roles = claims_of(token).get("roles", [])
            if not isinstance(roles, list):
                raise BadAnswer("The token says nothing readable of its permissions.")
            return frozenset(str(role) for role in roles)

        return await self._once(f"granted {identity.name}", ask)

    async def myself(self) -> WhoAmI:
        """Return who the guard is in Dataverse."""
        return await self._once("myself", lambda: self.connected().dataverse.who_am_i())

    async def privileges(self) -> frozenset[str]:
        """Return the privileges of the guard's own user, through any role."""

        async def ask() -> frozenset[str]:
            me = await self.myself()
            return await self.connected().dataverse.privileges_of(
                me.user_id, reason="doctor: read the guard's own privileges"
            )

        return await self._once("privileges", ask)

    async def roles(self) -> tuple[Role, ...]:
        """Return the roles of the guard's own user, direct and through teams."""

        async def ask() -> tuple[Role, ...]:
            me, dataverse = await self.myself(), self.connected().dataverse
            reason = "doctor: read the guard's own roles"
            direct, teams = await asyncio.gather(
                dataverse.roles_of(me.user_id, reason=reason),
                dataverse.team_roles_of(me.user_id, reason=reason),
            )
            return (*direct, *teams)

        return await self._once("roles", ask)

    def opened(self) -> Database:
        """Return the database. Raises the error that says why it cannot be read."""
        if self.database is None:
            raise self.database_problem or Unavailable("There is no database yet.")
        return self.database

    async def aclose(self) -> None:
        """Close what was opened."""
        for task in self._known.values():
            task.cancel()
        await asyncio.gather(*self._known.values(), return_exceptions=True)
        for identity in self.identities:
            if identity.connections is not None:
                await identity.connections.aclose()
        if self.database is not None:
            self.database.close()

    async def _once(self, name: str, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to a question that several probes ask, asked once for all of them."""
        if name not in self._known:
            self._known[name] = asyncio.ensure_future(ask())
        # Shielded: a probe whose time is up does not take the answer from the others.
        found: T = await asyncio.shield(self._known[name])
        return found


def clients_of(identity: OwnApplication) -> Connections:
    """Return the clients of an identity. Raises the error that says why there are none."""
    if identity.connections is None:
        raise identity.problem or Unavailable(f"The identity `{identity.name}` is not configured.")
    return identity.connections


def claims_of(token: str) -> Mapping[str, Any]:
    """Return what our own token says; nobody else's is ever believed like this.

    Raises BadAnswer for one that cannot be read: by contract a token is opaque to its bearer.
    """
    try:
        middle = token.split(".")[1]
        found = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (IndexError, binascii.Error, ValueError):
        found = None
    if not isinstance(found, dict):
        raise BadAnswer(
            "The token cannot be read, so its permissions are not known.",
            hint="Look at the permissions of the app registration in Entra.",
        )
    return found
