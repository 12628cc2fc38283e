"""Where deliveries go, and what proves them."""

from __future__ import annotations

import pytest

from sandbox.dataverse.faults import Fault
from sandbox.dataverse.steps import addressed

HEADERS = '<settings><setting name="x-a" value="1"/><setting name="x-b" value="&lt;2"/></settings>'


def endpoint(authtype: int, authvalue: str, url: str = "https://g.example.com/w/") -> dict:
    return {"url": url, "authtype": authtype, "authvalue": authvalue}


def test_a_webhook_key_becomes_the_code() -> None:
    url, headers = addressed(endpoint(4, "a&b", "https://g.example.com/w?x=1"))
    assert (url, headers) == ("https://g.example.com/w?x=1&code=a%26b", {})


def test_headers_come_from_xml_and_the_slash_is_trimmed() -> None:
    assert addressed(endpoint(5, HEADERS)) == (
        "https://g.example.com/w",
        {"x-a": "1", "x-b": "<2"},
    )


def test_query_values_come_from_xml() -> None:
    assert addressed(endpoint(6, HEADERS))[0] == "https://g.example.com/w?x-a=1&x-b=%3C2"


@pytest.mark.parametrize("authvalue", ["x-a: 1", "<other/>", "<settings><setting/></settings>"])
@pytest.mark.parametrize(("authtype", "code"), [(5, "0x80050203"), (6, "0x80050204")])
def test_a_malformed_authvalue_fails_when_it_fires(authtype, code, authvalue) -> None:
    with pytest.raises(Fault) as caught:
        addressed(endpoint(authtype, authvalue))
    assert caught.value.code == code
