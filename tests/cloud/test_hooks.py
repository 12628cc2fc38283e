from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from cloud.errors import CloudError, Refused, RequestRejected, Throttled, Unknown, Unreachable
from cloud.hooks import Hook
from kernel.clock import FrozenClock
from kernel.errors import SettingInvalid
from kernel.failpoints import failpoint
from tests.conftest import NOON

URL = "https://hooks.contoso.com/workflows/a-secret-path?sig=abc"
STEP = failpoint("tests.hook", "A post of the tests of hooks.")
Answer = Callable[[httpx.Request], httpx.Response]


class Posting:
    """A hook over a wire that answers as it is told."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[httpx.Request] = []
        self._answer = answer
        self.hook = Hook(URL, clock=FrozenClock(NOON), wire=httpx.MockTransport(self._handle))

    def _handle(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self._answer(request)

    async def post(self) -> None:
        await self.hook.post({"text": "x"}, failpoint=STEP)


def answering(status: int, **headers: str) -> Answer:
    return lambda request: httpx.Response(status, headers={k: v for k, v in headers.items()})


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_a_post_is_made_once(status: int) -> None:
    posting = Posting(answering(status))
    await posting.post()
    (request,) = posting.requests
    assert (request.method, str(request.url), request.content) == ("POST", URL, b'{"text":"x"}')


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (302, Refused),
        (307, Refused),
        (400, RequestRejected),
        (403, Refused),
        (404, Refused),
        (410, Refused),
        (429, Throttled),
        (500, Unknown),
        (504, Unknown),
    ],
)
async def test_every_answer_says_whether_something_arrived(
    status: int, error: type[CloudError]
) -> None:
    posting = Posting(lambda request: httpx.Response(status, headers={"location": "https://x"}))
    with pytest.raises(error) as caught:
        await posting.post()
    # No redirect is followed, nothing is repeated, and the address is in no error.
    assert len(posting.requests) == 1
    assert "secret" not in f"{caught.value} {caught.value.__dict__}"
    assert caught.value.__cause__ is None


async def test_a_channel_says_how_long_to_wait() -> None:
    posting = Posting(lambda request: httpx.Response(429, headers={"retry-after": "30"}))
    with pytest.raises(Throttled) as caught:
        await posting.post()
    assert caught.value.until == NOON + timedelta(seconds=30)


@pytest.mark.parametrize(
    ("failure", "error"), [(httpx.ConnectError, Unreachable), (httpx.ReadError, Unknown)]
)
async def test_what_never_left_is_told_from_what_may_have_arrived(
    failure: type[httpx.TransportError], error: type[CloudError]
) -> None:
    def fail(request: httpx.Request) -> httpx.Response:
        raise failure(f"to {request.url}")

    with pytest.raises(error) as caught:
        await Posting(fail).post()
    assert "secret" not in str(caught.value)


async def test_an_answer_without_an_end_is_read_to_a_bound() -> None:
    await Posting(lambda request: httpx.Response(200, content=b"x" * 200_000)).post()


@pytest.mark.parametrize(
    "url", ["http://hooks.contoso.com/x", "https:///x", "https://u:p@contoso.com/", "ftp://x", "x"]
)
def test_an_address_that_is_not_https_is_refused_without_being_shown(url: str) -> None:
    with pytest.raises(SettingInvalid) as caught:
        Hook(url, clock=FrozenClock(NOON))
    assert url not in str(caught.value)
