"""The port Notifier over the Dataverse Web API: the action SendAppNotification and its table.

Sources: "Send in-app notifications within model-driven apps" and "Notification (appnotification)
table/entity reference" of Microsoft's documentation.
"""

from __future__ import annotations

from datetime import UTC, datetime

from cloud.dataverse import Dataverse
from cloud.errors import CloudError, NotThere, Refused, RequestRejected
from cloud.odata import literal
from guard.notices.notice import Notice
from guard.ports.notifier import NoticeRefused, NoticeRejected, NoticesAbsent
from kernel.failpoints import failpoint

NOTICE_SEND = failpoint("guard.notice-send", "A notification is given to a person in Dataverse.")

ICON_FAILURE = 100000002
ICON_WARNING = 100000003
TOAST_TIMED = 200000000
EXPIRES_SECONDS = 14 * 24 * 3600
_NOT_ALLOWED = 405
_ABSENT = "The organisation has no notifications (SendAppNotification)."
_EXPANDO = "Microsoft.Dynamics.CRM.expando"


class DataverseNotifier:
    """Notifications of one organisation."""

    def __init__(self, dataverse: Dataverse) -> None:
        self._dataverse = dataverse

    async def locale_of(self, person_id: str) -> int | None:
        """Read the person's settings."""
        try:
            found = await self._dataverse.get(
                "usersettingscollection",
                person_id,
                select=("uilanguageid",),
                reason="guard: read a person's language",
            )
        except (Refused, NotThere):
            # Better told in the language of the policies than not at all.
            return None
        locale = None if found is None else found.get("uilanguageid")
        return locale if isinstance(locale, int) and locale else None

    async def was_given(self, person_id: str, mark: str, *, since: datetime) -> bool:
        """Look for the mark in the notifications that the person has."""
        moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        terms = (
            f"_ownerid_value eq {person_id}",
            f"createdon ge {moment}",
            f"contains(body,{literal(mark)})",
        )
        try:
            found = await self._dataverse.rows(
                "appnotifications",
                select=("appnotificationid",),
                filter=" and ".join(terms),
                reason="guard: see whether a notification was given",
            )
        except Refused as error:
            raise _refused(error) from error
        except NotThere as error:
            raise NoticesAbsent(_ABSENT) from error
        return bool(found)

    async def give(self, notice: Notice) -> None:
        """Call SendAppNotification; title and body are plain, the links are actions."""
        body = {
            "Title": notice.title,
            "Body": notice.body,
            "Recipient": f"/systemusers({notice.person_id})",
            "IconType": ICON_WARNING if notice.is_hold else ICON_FAILURE,
            "ToastType": TOAST_TIMED,
            "Expiry": EXPIRES_SECONDS,
        }
        if notice.links:
            body["Actions"] = {
                "@odata.type": _EXPANDO,
                "actions@odata.type": f"#Collection({_EXPANDO})",
                "actions": [
                    {
                        "title": link.title,
                        "data": {
                            "@odata.type": f"#{_EXPANDO}",
                            "type": "url",
                            "url": link.url,
                            "navigationTarget": "newWindow",
                        },
                    }
                    for link in notice.links
                ],
            }
        try:
            await self._dataverse.act(
                "SendAppNotification",
                body,
                failpoint=NOTICE_SEND,
                reason="guard: tell a person why a change was refused",
            )
        except RequestRejected as error:
            if error.status == _NOT_ALLOWED:
                raise NoticesAbsent(_ABSENT) from error
            raise NoticeRejected(f"Dataverse does not take it: {error.message}") from error
        except NotThere as error:
            raise NoticesAbsent(_ABSENT) from error
        except Refused as error:
            raise _refused(error) from error


def _refused(error: CloudError) -> NoticeRefused:
    return NoticeRefused(
        f"Dataverse gives no notification: {error.message}",
        hint="Give the guard's application user the privileges that docs/notifications.md names, "
        "or set MAILBOX_GUARD_NOTIFICATIONS to false.",
    )
