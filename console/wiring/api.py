"""The API over the live parts of a serving process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.metadata import PackageNotFoundError, version

from console.api.bounds import Application
from console.api.parts import ApiParts, StateNow
from console.api.surface import api
from console.policy_folder import PolicyFolder
from console.sign_in.authentication import Authentication
from guard.obligations.obligation import Means
from kernel.clock import Clock
from kernel.database import Database
from kernel.settings import Settings

UNKNOWN = "unknown"


def open_api(
    settings: Settings,
    database: Database,
    clock: Clock,
    *,
    policies: PolicyFolder,
    readiness: StateNow,
    knows: Authentication,
    anchor: Callable[[], Awaitable[None]],
    means: Means | None = None,
) -> Application:
    """Return the application to be mounted; `readiness` answers as `/readyz` does."""
    return api(
        ApiParts(
            database=database,
            clock=clock,
            policies=policies,
            settings=settings,
            readiness=readiness,
            knows=knows,
            anchor=anchor,
            version=installed_version(),
            means=means,
        )
    )


def installed_version() -> str:
    """Return the version that is installed."""
    try:
        return version("mailbox-guard")
    except PackageNotFoundError:
        return UNKNOWN
