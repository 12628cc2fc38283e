"""A JSON body posted to an address that a person configured: a team's channel, and nothing else.

The address is a secret: it stands in no error and no log. It is https, redirects are not followed,
the answer is read to a bound and not looked at. A post is never repeated here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from cloud.errors import BadAnswer, Refused, RequestRejected, Throttled, Unknown, Unreachable
from cloud.waits import SETBACK_FIRST_SECONDS, retry_after_seconds
from cloud.wire import WIRE_ERRORS, aiohttp_wire, never_left, open_client, read_bounded
from kernel.clock import Clock
from kernel.errors import SettingInvalid
from kernel.failpoints import NONE, Failpoints

DEADLINE_SECONDS = 15.0
_MOST_ANSWER = 64 * 1024
_GONE = (401, 403, 404, 410)
_THROTTLED = (429, 503)


class Hook:
    """One address to which cards are posted; close it when the process ends."""

    def __init__(
        self,
        url: str,
        *,
        clock: Clock,
        ca_bundle_file: str | None = None,
        failpoints: Failpoints = NONE,
        wire: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        _check(url)
        self._url = url
        self._clock = clock
        self._failpoints = failpoints
        self._client = open_client(wire or aiohttp_wire(ca_bundle_file), user_agent="mailbox-guard")

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def post(self, body: Mapping[str, Any], *, failpoint: str) -> None:
        """Post once.

        Raises Throttled or Unreachable when nothing arrived, Unknown when something may have,
        Refused when the address takes nothing from us, RequestRejected when not this.
        """
        self._failpoints.reach(failpoint, "before-send")
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                async with self._client.stream("POST", self._url, json=dict(body)) as answer:
                    status, headers = answer.status_code, dict(answer.headers)
                    await read_bounded(answer, _MOST_ANSWER)
        except BadAnswer:
            # It was long, and it was an answer.
            pass
        except WIRE_ERRORS as error:
            until = self._clock.now() + timedelta(seconds=SETBACK_FIRST_SECONDS)
            # No chain: what the wire says names the address.
            if never_left(error):
                raise Unreachable("The team's channel does not answer.", until=until) from None
            raise Unknown("The team's channel gave no whole answer.", until=until) from None
        self._failpoints.reach(failpoint, "after-send")
        self._judge(status, headers)

    def _judge(self, status: int, headers: Mapping[str, str]) -> None:
        if status < 300:
            return
        now = self._clock.now()
        said = f"The team's channel answered {status}."
        if status in _THROTTLED:
            seconds = retry_after_seconds(headers, now)
            wait = SETBACK_FIRST_SECONDS if seconds is None else seconds
            raise Throttled(said, until=now + timedelta(seconds=wait), status=status)
        if status in _GONE or status < 400:
            hint = "Make the address anew in the channel, and set MAILBOX_GUARD_TEAM_WEBHOOK_URL."
            raise Refused(said, hint=hint, status=status)
        if status < 500:
            raise RequestRejected(said, status=status)
        until = now + timedelta(seconds=SETBACK_FIRST_SECONDS)
        raise Unknown(said, until=until, status=status)


def _check(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.hostname or parts.username or parts.fragment:
        raise SettingInvalid(
            "MAILBOX_GUARD_TEAM_WEBHOOK_URL is no address that a card can be posted to.",
            hint="It must begin with https:// and name a host, without user and fragment.",
        )
