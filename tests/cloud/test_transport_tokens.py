"""The transport renews a refused token once and carries none to where it does not belong."""

import httpx
import pytest

from cloud.call import Call
from cloud.errors import BadAnswer, ForeignLink, Refused, TokenRefused, TokenUnavailable
from kernel.errors import Bug
from tests.cloud.scripted import Scripted, a_keyed_write, a_read, ok, problem


class TestTokens:
    async def test_a_refused_token_is_renewed_once(self) -> None:
        service = Scripted(problem(401, "InvalidAuthenticationToken"), ok())
        await service.transport.send(a_read())
        assert [r.headers["authorization"] for r in service.requests] == [
            "Bearer token",
            "Bearer token-1",
        ]

    async def test_a_token_refused_again_is_told(self) -> None:
        service = Scripted(problem(401, "InvalidAuthenticationToken"))
        with pytest.raises(Refused):
            await service.transport.send(a_read())
        assert len(service.requests) == 2

    async def test_entra_refusing_is_told_without_a_request(self) -> None:
        class NoTokens:
            async def get(self, scope: str) -> str:
                raise TokenRefused("no", service_code="AADSTS7000215")

            renew = get

        service = Scripted(ok(), tokens=NoTokens())
        with pytest.raises(TokenRefused):
            await service.transport.send(a_read())
        assert service.requests == []

    async def test_entra_being_silent_is_waited_for_within_the_deadline(self) -> None:
        class LateTokens:
            asked = 0

            async def get(self, scope: str) -> str:
                self.asked += 1
                if self.asked < 3:
                    raise TokenUnavailable("silent")
                return "late"

            renew = get

        service = Scripted(ok(), tokens=LateTokens())
        await service.transport.send(a_read())
        assert service.sent_at == [1.5]


class TestWhereTokensGo:
    @pytest.mark.parametrize(
        "url",
        [
            "https://graph.example.net/v1.0/users",
            "https://graph.example.com:8443/v1.0/users",
            "http://graph.example.com/v1.0/users",
            "https://graph.example.com@evil.example.net/v1.0/users",
            "https://user:pass@graph.example.com/v1.0/users",
            "//graph.example.com/v1.0/users",
            "https://graph.example.com\\@evil.example.net/v1.0/users",
            "https://graph.example.com/v1.0/users\r\nX: y",
            "https://graph.example.com/v1.0/users('a')/messages/../../users('b')/messages",
            "https://graph.example.com/v1.0/users/a/%2e%2e/b",
        ],
    )
    async def test_no_request_leaves_for_an_origin_that_is_not_configured(self, url) -> None:
        service = Scripted(ok())
        with pytest.raises(ForeignLink):
            await service.transport.send(Call("GET", url))
        assert service.requests == []

    async def test_a_token_goes_only_to_the_service_it_is_for(self) -> None:
        service = Scripted(ok())
        with pytest.raises(Bug):
            await service.transport.send(a_read(scope="https://contoso.crm.example.com/.default"))
        assert service.requests == []

    @pytest.mark.parametrize("status", [301, 302, 307, 308])
    async def test_a_redirect_is_never_followed(self, status) -> None:
        moved = httpx.Response(status, headers={"Location": "https://evil.example.net/"})
        service = Scripted(moved)
        with pytest.raises(BadAnswer, match="not followed"):
            await service.transport.send(a_read())
        with pytest.raises(BadAnswer, match="not followed"):
            await service.transport.send(a_keyed_write())
        assert {request.url.host for request in service.requests} == {
            "graph.example.com",
            "contoso.crm.example.com",
        }
