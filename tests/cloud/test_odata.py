import pytest

from cloud.errors import ForeignLink
from cloud.odata import link_within, literal, own_link, query, segment
from tests.cloud.scripted import GRAPH, MAILBOX, OTHER_MAILBOX, USER


def test_a_quote_in_a_literal_is_doubled() -> None:
    assert literal("o'hara@contoso.com") == "'o''hara@contoso.com'"


def test_values_of_a_query_are_quoted_and_absent_ones_left_out() -> None:
    text = query({"$filter": "mail eq 'a&b+c@contoso.com'", "$select": None})
    assert text == "?$filter=mail%20eq%20'a%26b%2Bc%40contoso.com'"
    assert query({}) == ""


def test_a_segment_cannot_leave_its_place() -> None:
    assert segment("../users?x#y") == "..%2Fusers%3Fx%23y"


def test_a_link_of_the_own_service_is_used_as_it_came() -> None:
    link = "https://graph.example.com/v1.0/users('x')/y?$skiptoken=a%2Bb"
    assert own_link(GRAPH, link) == link
    assert own_link(GRAPH, None) is None


@pytest.mark.parametrize("link", ["https://evil.example.net/v1.0/x", "/relative", 5])
def test_a_link_elsewhere_is_refused(link) -> None:
    with pytest.raises(ForeignLink):
        own_link(GRAPH, link)


WAY = "/mailFolders('AQ')/messages/delta?$deltatoken=a%2Bb"
OWN = f"{GRAPH.base_url}/users('{MAILBOX}'){WAY}"


@pytest.mark.parametrize("link", [OWN, OWN.replace(MAILBOX, MAILBOX.upper())])
def test_a_link_of_the_own_mailbox_is_used_as_it_came(link) -> None:
    assert link_within(link, MAILBOX, GRAPH) == link


@pytest.mark.parametrize(
    "written", ["ceo@contoso.com", f"{OTHER_MAILBOX}@{USER}", "ceo%40contoso.com"]
)
def test_a_mailbox_that_is_named_in_another_way_is_the_own_one(written) -> None:
    assert link_within(OWN.replace(MAILBOX, written), MAILBOX, GRAPH) == OWN
    plain = f"{GRAPH.base_url}/users/{written}/messages/delta"
    assert link_within(plain, MAILBOX, GRAPH) == f"{GRAPH.base_url}/users/{MAILBOX}/messages/delta"


@pytest.mark.parametrize(
    "path",
    [
        f"/v1.0/users('{OTHER_MAILBOX}')/messages/delta",
        f"/v1.0/users/{MAILBOX}/../{OTHER_MAILBOX}/messages/delta",
        f"/v1.0/users/{MAILBOX}/%2e%2e/{OTHER_MAILBOX}/messages/delta",
        f"/v1.0/users('{MAILBOX}')/mailFolders/../../users('{OTHER_MAILBOX}')/messages",
        f"/v1.0//users('{OTHER_MAILBOX}')/messages/delta",
        f"/beta/users('{MAILBOX}')/messages/delta",
        f"/v1.0/users('{MAILBOX}')",
        "/v1.0/me/messages/delta",
        f"/v1.0/groups/{MAILBOX}/events",
    ],
)
def test_a_link_that_leads_elsewhere_is_none_of_the_mailbox(path) -> None:
    assert link_within(GRAPH.origin + path, MAILBOX, GRAPH) is None
