"""Whether Microsoft's services answer and take our credentials: asked of Entra, seen in answers.

With credentials that are refused every fact is missing, so that every guarded edit is rejected: a
process that only looks alive must say so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cloud.access import LoggedRequest
from cloud.budgets import RESERVED
from cloud.errors import CloudError, TokenRefused
from cloud.tokens import MsalTokens

REFUSED = (401, 403)
THROTTLED = 429
FAILED = 500
_NAMES = {"rows": "Dataverse", "directory": "Microsoft Graph"}
_SERVICES = {"dataverse": _NAMES["rows"], "graph": _NAMES["directory"]}

Closed = Callable[[], Mapping[tuple[str, str], float]]
"""Returns for how many seconds a service (and which share of it) is asked for nothing."""


@dataclass(frozen=True, slots=True)
class Identity:
    """One identity of ours: what it is called, where its tokens come from and for what."""

    name: str
    tokens: MsalTokens
    scopes: Sequence[str]


@dataclass(slots=True)
class Reach:
    """What was last heard from Entra, Graph and Dataverse in this process.

    `guards` is the identity that decisions need, `mailboxes` a second one for mailbox access.
    `closed` tells what the guard's own requests wait for.
    """

    guards: Identity
    mailboxes: Identity | None = None
    closed: Closed = dict
    _was_asked: bool = False
    _refused: dict[tuple[str, str], str] = field(default_factory=dict)
    _silent: dict[tuple[str, str], str] = field(default_factory=dict)
    _answers: dict[tuple[str, str], bool] = field(default_factory=dict)

    async def look(self) -> None:
        """Ask for a token of each scope; one that is at hand and not refused costs nothing."""
        identities = [self.guards, *([self.mailboxes] if self.mailboxes is not None else [])]
        for identity in identities:
            for scope in identity.scopes:
                await self._look_at(identity, scope)
        self._was_asked = True

    def note(self, request: LoggedRequest) -> None:
        """Remember whether a service answered, and took our token for what was asked."""
        if request.kind not in _NAMES:
            return
        if request.status is None or request.status >= FAILED:
            self._silent[request.kind, ""] = f"{_NAMES[request.kind]} does not answer."
            return
        self._silent.pop((request.kind, ""), None)
        # Whoever is told to wait does not know yet whether the answer would be a refusal.
        if request.status != THROTTLED:
            self._answers[request.kind, request.reason] = request.status not in REFUSED

    @property
    def problem(self) -> str | None:
        """Return why nothing can be looked up, so that every guarded edit would be rejected."""
        if not self._was_asked:
            return "Whether Entra takes the credentials is not known yet."
        for (identity, _), text in self._refused.items():
            if identity == self.guards.name:
                return text
        name = self._refusing()
        return (
            f"{name} refuses whatever is asked of it as the guard's application." if name else None
        )

    @property
    def refused(self) -> int:
        """Return how many identities are refused: by Entra, or by a service whatever is asked."""
        names = {identity for identity, _ in self._refused}
        return len(names | ({self.guards.name} if self._refusing() else set()))

    @property
    def lacking(self) -> list[str]:
        """Return what can't be done with these credentials, although decisions go on."""
        told = [*self._silent.values(), *self._waiting()]
        told += [
            text for (identity, _), text in self._refused.items() if identity != self.guards.name
        ]
        told += [
            f"{_NAMES[kind]} refuses to {reason}: a right is missing."
            for (kind, reason), is_taken in sorted(self._answers.items())
            if not is_taken
        ]
        return told

    def _waiting(self) -> list[str]:
        """Return what waits because a service asked us to, or because a share is used up."""
        told = []
        for (service, scope), seconds in sorted(self.closed().items()):
            name = _SERVICES.get(service, service)
            what = (
                "reconciliation and the reverts of what it finds wait"
                if scope == RESERVED
                else "what decisions need of it is missing, and what deliveries owe waits"
            )
            told.append(
                f"{name} is asked for nothing for {seconds:.0f} seconds more, at its wish or "
                f"because a share of requests is used up: {what}."
            )
        return told

    def _refusing(self) -> str | None:
        """Return the service that refuses whatever it is asked."""
        for kind, name in _NAMES.items():
            taken = [one for (its, _), one in self._answers.items() if its == kind]
            if taken and not any(taken):
                return name
        return None

    async def _look_at(self, identity: Identity, scope: str) -> None:
        said, key = f"As {identity.name}", (identity.name, scope)
        try:
            await identity.tokens.get(scope)
        except TokenRefused as error:
            self._refused[key] = f"{said} no token is given: {error.message}"
            return
        except CloudError as error:
            self._silent[key] = f"{said} no token can be had now: {error.message}"
            return
        self._refused.pop(key, None)
        self._silent.pop(key, None)
        failure = identity.tokens.failure_of(scope)
        if failure is not None:
            self._silent[key] = f"{said} no new token is given: {failure.message}"
