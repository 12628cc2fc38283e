import pytest

from cloud.access import mailbox_of
from tests.cloud.scripted import DATAVERSE, GRAPH


@pytest.mark.parametrize(
    "path",
    [
        "/users/M/messages/x",
        "/users/M/mailFolders/inbox/messages/delta()",
        "/users('M')/mailfolders('AQ')/messages/microsoft.graph.delta?$skiptoken=x",
        "/USERS/M/MailFolders",
        "/users/M/events",
        "/users/M/calendarView/delta?startDateTime=x",
        "/users/M/calendars/c/calendarView",
        "/users/M/contacts",
        "/users/M/contactFolders",
        "/users/M/todo/lists",
        "/users/M/sendMail",
        "/users/M/microsoft.graph.sendMail",
        "/users/M/%6Dessages",
    ],
)
def test_what_reaches_into_a_mailbox(path) -> None:
    assert mailbox_of(GRAPH.base_url + path, GRAPH) == "M"


@pytest.mark.parametrize(
    "path",
    [
        "/users/M",
        "/users/M/mailboxSettings",
        "/users/M/transitiveMemberOf/microsoft.graph.directoryRole",
        "/users?$filter=startswith(mail,'/users/M/messages')",
        "/groups/M/events",
    ],
)
def test_what_does_not(path) -> None:
    assert mailbox_of(GRAPH.base_url + path, GRAPH) == ""


def test_dataverse_holds_no_mailbox() -> None:
    assert mailbox_of(DATAVERSE.base_url + "/users/M/messages", DATAVERSE) == ""
