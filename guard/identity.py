"""Who the guard itself is, learnt from Dataverse while it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class OwnIdentity:
    """The guard's organisation and its own user; None while unknown, and then nothing is granted.

    `organization_id` is the setting, or what WhoAmI answered; wiring fills both in. `client_ids`
    are the applications that guard and sync sign in with.
    """

    organization_id: str | None = None
    user_id: str | None = None
    client_ids: frozenset[str] = frozenset()

    def is_own(self, user_id: str, application_id: str | None = None) -> bool:
        """Return whether a user is one of ours: the guard's own, or one of our applications."""
        return user_id == self.user_id or (
            application_id is not None and application_id.lower() in self.client_ids
        )

    def is_foreign(self, organization_id: str | None) -> bool:
        """Return whether a delivery comes from another organisation."""
        if self.organization_id is None or organization_id is None:
            return False
        return organization_id.lower() != self.organization_id.lower()
