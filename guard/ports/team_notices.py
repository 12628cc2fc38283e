"""The port Notifier over a team's channel: a card for Teams, or a message for Slack.

Sources: "Create incoming webhooks with Workflows for Microsoft Teams" (a message with one Adaptive
Card as attachment) and "Sending messages using incoming webhooks" of Slack (blocks).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cloud.errors import Refused, RequestRejected
from cloud.hooks import Hook
from guard.notices.notice import Notice, NoticeLink
from guard.ports.notifier import NoticeRefused, NoticeRejected
from kernel.errors import Bug
from kernel.failpoints import failpoint

TEAM_SEND = failpoint("guard.team-send", "A card is posted into the channel of the team.")
TEAMS, SLACK = FORMATS = ("teams", "slack")
_CARD = "application/vnd.microsoft.card.adaptive"


class TeamNotifier:
    """The channel of one team; `dataverse_url` is where links to rows lead, None for nowhere."""

    def __init__(self, hook: Hook, *, form: str = TEAMS, dataverse_url: str | None = None) -> None:
        self._hook = hook
        self._form = form
        self._dataverse_url = dataverse_url

    async def locale_of(self, person_id: str) -> int | None:
        """Return nothing: a team reads the policies' own language."""
        return None

    async def was_given(self, person_id: str, mark: str, *, since: datetime) -> bool:
        """Nobody can look into a channel by its address."""
        raise Bug("A team's channel cannot be looked into.")

    async def give(self, notice: Notice) -> None:
        """Post the card."""
        links = [link for link in map(self._absolute, notice.links) if link is not None]
        body = slack_message(notice, links) if self._form == SLACK else teams_card(notice, links)
        try:
            await self._hook.post(body, failpoint=TEAM_SEND)
        except Refused as error:
            raise NoticeRefused(error.message, hint=error.hint) from error
        except RequestRejected as error:
            raise NoticeRejected(error.message, hint=error.hint) from error

    def _absolute(self, link: NoticeLink) -> NoticeLink | None:
        if not link.url.startswith("?"):
            return link
        if self._dataverse_url is None:
            return None
        return NoticeLink(link.title, f"{self._dataverse_url.rstrip('/')}/main.aspx{link.url}")


def teams_card(notice: Notice, links: list[NoticeLink]) -> Mapping[str, Any]:
    """Return the message with its card. Texts are escaped: a card reads Markdown."""
    card = {
        "type": "AdaptiveCard",
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "version": "1.4",
        "body": [
            {"type": "TextBlock", "text": _escaped(notice.title), "weight": "bolder", "wrap": True},
            {"type": "TextBlock", "text": _escaped(notice.body), "wrap": True},
        ],
        "actions": [
            {"type": "Action.OpenUrl", "title": link.title, "url": link.url} for link in links
        ],
    }
    return {"type": "message", "attachments": [{"contentType": _CARD, "content": card}]}


def slack_message(notice: Notice, links: list[NoticeLink]) -> Mapping[str, Any]:
    """Return the message in blocks of plain text, in which nothing is markup."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": {"type": "plain_text", "text": notice.title[:150]}},
        {"type": "section", "text": {"type": "plain_text", "text": notice.body}},
    ]
    if links:
        blocks.append(
            {
                "type": "actions",
                "elements": [
                    {
                        "type": "button",
                        "text": {"type": "plain_text", "text": link.title},
                        "url": link.url,
                    }
                    for link in links
                ],
            }
        )
    return {"blocks": blocks}


def _escaped(text: str) -> str:
    return "".join(f"\\{char}" if char in "\\`*_[]()#<>~|" else char for char in text)
