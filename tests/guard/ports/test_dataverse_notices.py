from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest

from cloud.errors import Unknown
from guard.notices.notice import Notice, NoticeLink
from guard.ports.dataverse_notices import DataverseNotifier
from guard.ports.notifier import NoticeRefused, NoticeRejected, NoticesAbsent
from tests.cloud.scripted import Scripted, no_content, ok, problem
from tests.guard.builders import USER_ID

NOTICE = Notice("d1", USER_ID, False, "Not accepted", "Why. Decision d1.", (NoticeLink("A", "?b"),))
SINCE = datetime(2026, 11, 23, 12, tzinfo=UTC)


async def test_it_is_sent_as_the_documentation_writes_it_and_never_twice() -> None:
    service = Scripted(ok({"NotificationId": "x"}))
    await DataverseNotifier(service.dataverse).give(NOTICE)
    assert service.decoded == ["POST /api/data/v9.2/SendAppNotification"]
    sent = json.loads(service.request.content)
    assert (sent["Title"], sent["Body"]) == ("Not accepted", "Why. Decision d1.")
    assert sent["Recipient"] == f"/systemusers({USER_ID})"
    assert sent["Actions"]["actions"] == [
        {
            "title": "A",
            "data": {
                "@odata.type": "#Microsoft.Dynamics.CRM.expando",
                "type": "url",
                "url": "?b",
                "navigationTarget": "newWindow",
            },
        }
    ]
    lost = Scripted(httpx.Response(502), no_content())
    with pytest.raises(Unknown):
        await DataverseNotifier(lost.dataverse).give(NOTICE)
    assert len(lost.requests) == 1


async def test_it_is_looked_for_among_what_the_person_has() -> None:
    service = Scripted(ok({"value": [{"appnotificationid": "x"}]}), ok({"value": []}))
    notifier = DataverseNotifier(service.dataverse)
    assert await notifier.was_given(USER_ID, "d1", since=SINCE)
    assert not await notifier.was_given(USER_ID, "o'd", since=SINCE)
    asked = service.decoded[0].replace("%20", " ")
    assert f"_ownerid_value eq {USER_ID}" in asked
    assert "createdon ge 2026-11-23T12:00:00Z" in asked
    assert "contains(body,'d1')" in asked
    assert "o''d" in service.decoded[1]


@pytest.mark.parametrize(
    ("reply", "locale"),
    [
        (ok({"uilanguageid": 1031}), 1031),
        (ok({"uilanguageid": 0}), None),
        (problem(404, "0x80040217"), None),
        (problem(403, "0x80040220"), None),
    ],
)
async def test_the_language_is_what_the_person_chose(
    reply: httpx.Response, locale: int | None
) -> None:
    assert await DataverseNotifier(Scripted(reply).dataverse).locale_of(USER_ID) == locale


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (problem(403, "0x80040220"), NoticeRefused),
        # "Resource not found for the segment": the organisation has no such feature.
        (problem(404, "0x80060888"), NoticesAbsent),
        (httpx.Response(405), NoticesAbsent),
        (problem(400, "0x80044331"), NoticeRejected),
    ],
)
async def test_a_refusal_of_all_is_told_from_that_of_one(
    reply: httpx.Response, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await DataverseNotifier(Scripted(reply).dataverse).give(NOTICE)


async def test_without_the_right_to_look_nothing_is_given_again() -> None:
    notifier = DataverseNotifier(Scripted(problem(403, "0x80040220")).dataverse)
    with pytest.raises(NoticeRefused):
        await notifier.was_given(USER_ID, "d1", since=SINCE)
