"""Who the guard itself is, learnt from Dataverse while it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class OwnIdentity:
    """The guard's organisation and its own user; None while unknown, and then nothing is granted.

    `organization_id` is the setting, or what WhoAmI answered; wiring fills both in.
    """

    organization_id: str | None = None
    user_id: str | None = None

    def is_foreign(self, organization_id: str | None) -> bool:
        """Return whether a delivery comes from another organisation."""
        if self.organization_id is None or organization_id is None:
            return False
        return organization_id.lower() != self.organization_id.lower()
