"""The obligation `tell_team`: the team hears of refused changes in its channel."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from guard.columns.table import TABLES
from guard.notices.cleaning import cleaned
from guard.notices.frames import FRAMES
from guard.notices.notice import Notice
from guard.notices.register import MOST_IN_ALL, Turn
from guard.obligations.telling import Telling, TellingPayload
from guard.ports.notifier import Notifier
from guard.ports.rows import UserRow


class TellTeam(Telling):
    """Tells the team by a card in its channel, which cannot be looked into."""

    kind = "tell_team"
    doc = "The team is told in its channel of a change that was rejected or held, at most once."
    channel = "team"
    most = MOST_IN_ALL
    can_look = False

    @property
    def notifier(self) -> Notifier:
        """Return the team's channel."""
        return self._means.team

    def reader(self, owed: TellingPayload) -> str:
        """Return the team: whose turns are counted does not depend on whose change it was."""
        return self.channel

    def is_told(self, user: UserRow | None) -> bool:
        """Return True: what an application tries is for the team, too."""
        return True

    def _notice(
        self,
        connection: Connection,
        owed: TellingPayload,
        turn: Turn,
        *,
        user: UserRow | None,
        language: str | None,
    ) -> Notice | None:
        notice = super()._notice(connection, owed, turn, user=user, language=language)
        if notice is None:
            return None
        thing = FRAMES["en"].things[TABLES[owed.table].owner_type]
        who = cleaned(user.upn) if user is not None and user.upn else "an application or nobody"
        what = "waits for a second person" if notice.is_hold else "was not accepted"
        return replace(notice, title=f"A change to a {thing} by {who} {what}")
