"""What Graph tells of the tenant itself."""

import pytest

from cloud.errors import BadAnswer
from tests.cloud.scripted import USER, Scripted, ok


async def test_the_default_domain_comes_first() -> None:
    domains = [
        {"name": "Contoso.onmicrosoft.com", "isDefault": False},
        {"name": "contoso.com", "isDefault": True},
        {"name": "Adatum.contoso.com"},
        "odd",
    ]
    service = Scripted(ok({"value": [{"id": USER, "verifiedDomains": domains}]}))
    assert await service.tenant.domains() == (
        "contoso.com",
        "adatum.contoso.com",
        "contoso.onmicrosoft.com",
    )
    assert service.decoded == ["GET /v1.0/organization?$select=id,displayName,verifiedDomains"]


async def test_a_tenant_without_domains_has_none() -> None:
    assert await Scripted(ok({"value": [{"id": USER}]})).tenant.domains() == ()


async def test_an_answer_without_a_list_is_unusable() -> None:
    with pytest.raises(BadAnswer):
        await Scripted(ok({})).tenant.domains()


async def test_directory_roles_are_known_by_the_ids_of_their_templates() -> None:
    service = Scripted(ok({"value": [{"id": USER.upper(), "displayName": "Global Administrator"}]}))
    assert await service.tenant.role_templates() == {USER.lower(): "Global Administrator"}


async def test_an_address_is_asked_for_in_the_spelling_that_is_given() -> None:
    service = Scripted(ok({"value": [{"id": USER}]}))
    assert await service.tenant.holders_of_proxy("O'Hara@contoso.com") == [USER]
    request = service.request
    assert request.url.params["$filter"] == "proxyAddresses/any(p:p eq 'smtp:O''Hara@contoso.com')"
    assert request.headers["ConsistencyLevel"] == "eventual"


async def test_somebody_with_an_address_is_found() -> None:
    people = [{"id": USER, "mail": None}, {"id": USER, "mail": "anna@contoso.com"}]
    assert await Scripted(ok({"value": people})).tenant.some_address() == "anna@contoso.com"
    assert await Scripted(ok({"value": []})).tenant.some_address() is None


async def test_the_time_of_an_answer_is_the_services_own() -> None:
    reply = ok({"value": []})
    reply.headers["Date"] = "Mon, 23 Nov 2026 12:00:00 GMT"
    told = await Scripted(reply).tenant.answered_at()
    assert told is not None
    assert told.isoformat() == "2026-11-23T12:00:00+00:00"
    assert await Scripted(ok({"value": []})).tenant.answered_at() is None
