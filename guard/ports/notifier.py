"""Dataverse's notifications inside its apps, as the guard gives them to people.

Terms:

- *Person*: the system user to whom a notice is given, by its id.
- *Mark*: a text of a notice by which it is found again; the decision's id.
- *Locale id*: the number of a language in Windows and Dataverse; 1031 is German.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from guard.notices.notice import Notice
from kernel.errors import GuardError


class NoticeRefused(GuardError):
    """Dataverse gives no notifications for the guard: a privilege is missing."""

    code = "notice-refused"
    http_status = 403
    exit_code = 1


class NoticesAbsent(GuardError):
    """The organisation has no notifications at all."""

    code = "notices-absent"
    http_status = 404
    exit_code = 1


class NoticeRejected(GuardError):
    """Dataverse does not take this very notification, whoever sends it."""

    code = "notice-rejected"
    http_status = 400
    exit_code = 1


class Notifier(Protocol):
    """Who gives notices to people.

    Every method raises a GuardError when there is no answer; a transient one may be asked again.
    """

    async def locale_of(self, person_id: str) -> int | None:
        """Return the locale id that a person chose for what they read; None for none."""
        ...

    async def was_given(self, person_id: str, mark: str, *, since: datetime) -> bool:
        """Return whether a notice with that mark was given since then, and is still there."""
        ...

    async def give(self, notice: Notice) -> None:
        """Give a notice.

        Raises NoticeRefused when Dataverse gives none for us, NoticesAbsent when it has none, and
        NoticeRejected when it does not take this one; then it was not given. After any other error
        that may not be known.
        """
        ...


@dataclass
class MemoryNotifier:
    """Notices in memory.

    `fails` is raised at each question, `refuses` instead of giving, `loses` after it was given.
    """

    locales: dict[str, int] = field(default_factory=dict)
    given: list[Notice] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    fails: GuardError | None = None
    refuses: GuardError | None = None
    loses: GuardError | None = None

    def _ask(self, question: str) -> None:
        self.asked.append(question)
        if self.fails is not None:
            raise self.fails

    async def locale_of(self, person_id: str) -> int | None:
        """Return the locale id that was set."""
        self._ask(f"locale_of {person_id}")
        return self.locales.get(person_id)

    async def was_given(self, person_id: str, mark: str, *, since: datetime) -> bool:
        """Return whether it was given here."""
        self._ask(f"was_given {person_id} {mark}")
        return any(one.person_id == person_id and mark in one.body for one in self.given)

    async def give(self, notice: Notice) -> None:
        """Keep the notice."""
        self._ask(f"give {notice.decision_id}")
        if self.refuses is not None:
            raise self.refuses
        self.given.append(notice)
        if self.loses is not None:
            raise self.loses
