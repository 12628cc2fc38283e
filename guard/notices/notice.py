"""A notice as a value: what one person is told of one decision."""

from __future__ import annotations

from dataclasses import dataclass

MOST_TITLE = 256
MOST_BODY = 500
"""The lengths of the columns `title` and `body` of Dataverse's table `appnotification`."""


@dataclass(frozen=True, slots=True)
class NoticeLink:
    """Where a notice leads: our own console, or a row of Dataverse; never what a delivery said."""

    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Notice:
    """What one person is told of one decision, as plain text without any markup.

    `body` ends with the decision's id, by which the notice is found again where it was given.
    """

    decision_id: str
    person_id: str
    is_hold: bool
    title: str
    body: str
    links: tuple[NoticeLink, ...] = ()
