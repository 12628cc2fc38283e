"""The obligation `tell_by_mail`: whoever made a refused change is told why by mail, once."""

from __future__ import annotations

from guard.obligations.telling import Telling
from guard.ports.notifier import Notifier


class TellByMail(Telling):
    """Tells people by mail. What was sent is not looked for, so it is never sent again."""

    kind = "tell_by_mail"
    doc = "Whoever made a change that was rejected or held is told why by mail, at most once."
    channel = "mail"
    can_look = False

    @property
    def notifier(self) -> Notifier:
        """Return the mail of the configured sender."""
        return self._means.mail
