"""The settings become an installation that can be asked: whatever cannot be opened is kept as why.

The database is opened to be read and nothing is made: not its file, nor a newer schema.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx

from console.context import sqlite_file
from console.doctor.installation import Installation, OwnApplication
from console.policy_folder import PolicyFolder
from console.wiring.connections import Connections, connect_guard, connect_sync
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import GuardError
from kernel.settings import Settings

CALL_SECONDS = 8.0


@asynccontextmanager
async def opened(
    settings: Settings, clock: Clock, *, webhook_url: str = ""
) -> AsyncIterator[Installation]:
    """Yield the installation of the settings, and close what was opened."""
    house = Installation(
        settings,
        clock,
        guard=_guard(settings, clock),
        mailboxes=_mailboxes(settings, clock),
        public_trust=httpx.create_ssl_context(trust_env=False),
        webhook_url=webhook_url,
    )
    try:
        _open_database(house)
        try:
            house.policies = PolicyFolder.of(settings, clock).current
        except GuardError as error:
            house.policies_problem = error
        yield house
    finally:
        await house.aclose()


def _guard(settings: Settings, clock: Clock) -> OwnApplication:
    bare = OwnApplication(
        "guard",
        settings.client_id or settings.managed_identity,
        settings.client_secret,
        settings.client_certificate_file,
        settings.client_secret_ends,
    )
    return _connected(bare, lambda: connect_guard(settings, clock))


def _mailboxes(settings: Settings, clock: Clock) -> OwnApplication | None:
    if not (
        settings.sync_client_id
        or settings.sync_client_secret
        or settings.sync_client_certificate_file
    ):
        return None
    bare = OwnApplication(
        "mailboxes",
        settings.sync_client_id,
        settings.sync_client_secret,
        settings.sync_client_certificate_file,
        settings.sync_client_secret_ends,
    )
    return _connected(bare, lambda: connect_sync(settings, clock))


def _connected(bare: OwnApplication, connect: Callable[[], Connections]) -> OwnApplication:
    try:
        made = connect()
    except GuardError as error:
        return replace(bare, problem=error)
    hurried = replace(
        made,
        graph=made.graph.within(CALL_SECONDS, urgent=False),
        dataverse=made.dataverse.within(CALL_SECONDS, urgent=False),
        tenant=made.tenant.within(CALL_SECONDS, urgent=False),
    )
    return replace(bare, connections=hurried)


def _open_database(house: Installation) -> None:
    try:
        file = sqlite_file(house.settings)
        if file is not None and not file.exists():
            return
        database = Database(house.settings.database_url)
        database.open()
    except GuardError as error:
        house.database_problem = error
    else:
        house.database = database
