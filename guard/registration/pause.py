"""A pause of the synchronous steps, as it is written into their descriptions: break-glass.

The guard's own database may be what has failed, so all there is to know of a pause stands in
Dataverse. Whoever may edit steps there could write the same: a pause is no proof of anything. It is
shown, recorded, bounded, and ends by itself.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from guard.ports.registry import Step
from kernel.errors import InputRefused

MOST_PAUSE: Final = timedelta(hours=72)
"""A long weekend. Whoever needs longer says so again."""
MOST_CHARACTERS: Final = 256
# Clocks of two machines are not the same.
_AHEAD = timedelta(minutes=5)
_MARK = "mailbox-guard-pause"


@dataclass(frozen=True, slots=True)
class Pause:
    """Until when the synchronous steps rest, since when, by whose word and why."""

    since: datetime
    until: datetime
    by: str
    reason: str

    def is_current(self, now: datetime) -> bool:
        """Return whether it holds: it has begun, is not over, and is no longer than allowed."""
        is_bounded = self.until - self.since <= MOST_PAUSE
        return is_bounded and self.since <= now + _AHEAD and now < self.until

    @property
    def description(self) -> str:
        """Return what is written into the description of a step.

        Raises InputRefused when there is no room for it.
        """
        told = [_MARK, _text(self.since), _text(self.until), self.by, self.reason]
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"))
        if len(text) > MOST_CHARACTERS:
            raise InputRefused(
                f"Name and reason are {len(text) - MOST_CHARACTERS} characters too long for where "
                "Dataverse keeps them.",
                hint="Say why in a few words, such as a ticket.",
            )
        return text


def pause_until(until: datetime, *, by: str, reason: str, now: datetime) -> Pause:
    """Return the pause from now on. Raises InputRefused when it ends in the past, or too late."""
    since = now.replace(microsecond=0)
    if until <= now:
        raise InputRefused("The pause would be over already.", hint="Give a moment to come.")
    if until - since > MOST_PAUSE:
        hours = MOST_PAUSE // timedelta(hours=1)
        raise InputRefused(
            f"A pause may last {hours} hours at most.",
            hint="Give an earlier moment; it can be paused again.",
        )
    return Pause(since, until.astimezone(UTC).replace(microsecond=0), by, reason)


def pause_of(step: Step) -> Pause | None:
    """Return the pause that is written at a step that is switched off; None for any other text."""
    if step.is_enabled or not step.is_synchronous or len(step.description) > MOST_CHARACTERS:
        return None
    try:
        mark, since, until, by, reason = json.loads(step.description)
        if mark != _MARK or not isinstance(by, str) or not isinstance(reason, str):
            return None
        return Pause(_moment(since), _moment(until), by, reason)
    except (ValueError, TypeError, RecursionError):
        return None


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
