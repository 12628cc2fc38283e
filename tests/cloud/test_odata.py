import pytest

from cloud.errors import ForeignLink
from cloud.odata import literal, own_link, query, segment
from tests.cloud.scripted import GRAPH


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
