from __future__ import annotations

import json

import pytest

from guard.notices.notice import Notice, NoticeLink
from guard.ports.team_notices import slack_message, teams_card

LINKS = [NoticeLink("Show", "https://guard.contoso.com/decisions/d1")]
NOTICE = Notice("d1", "p", False, "A *bold* title", "a_b@contoso.com [x](y) <!here> Decision d1.")


def test_nothing_of_a_text_is_markup_in_a_card() -> None:
    card = teams_card(NOTICE, LINKS)["attachments"][0]["content"]
    title, body = (one["text"] for one in card["body"])
    assert title == "A \\*bold\\* title"
    assert body.startswith("a\\_b@contoso.com \\[x\\]\\(y\\) \\<!here\\>")
    assert card["actions"] == [{"type": "Action.OpenUrl", "title": "Show", "url": LINKS[0].url}]


def test_nothing_of_a_text_is_markup_in_slack() -> None:
    message = slack_message(NOTICE, LINKS)
    kinds = {block["text"]["type"] for block in message["blocks"] if "text" in block}
    assert kinds == {"plain_text"}
    assert "text" not in message


@pytest.mark.parametrize("make", [teams_card, slack_message])
def test_it_is_json_with_and_without_links(make: object) -> None:
    for links in ([], LINKS):
        assert callable(make)
        assert json.dumps(make(NOTICE, links))
