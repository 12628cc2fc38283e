"""The obligation `notify`: whoever made a refused change is told why, in Dataverse, once."""

from __future__ import annotations

from guard.obligations.telling import Telling
from guard.ports.notifier import Notifier


class Notify(Telling):
    """Tells people by a notification inside the apps of Dataverse."""

    kind = "notify"
    doc = "Whoever made a change that was rejected or held is told why in Dataverse, once."
    channel = "app"

    @property
    def notifier(self) -> Notifier:
        """Return Dataverse's notifications."""
        return self._means.notifier
