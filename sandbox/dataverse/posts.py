"""Deliveries on the wire: one attempt, one more for 502, 503 and 504, and never another."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import httpx

from kernel.clock import Clock
from sandbox.dataverse.faults import (
    WEBHOOK_REFUSED,
    WEBHOOK_TIMED_OUT,
    WEBHOOK_UNREACHABLE,
    Fault,
)

_RETRIED = frozenset({502, 503, 504})


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivery as it was sent and answered; `status` is None when no answer came."""

    at: datetime
    step: str
    table: str
    message: str
    stage: int
    mode: int
    record_id: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    attempts: int
    status: int | None
    answer: str
    fault: str | None


class Poster:
    """Sends deliveries and keeps what came of them."""

    def __init__(self, clock: Clock, *, trust: ssl.SSLContext, timeout_seconds: float) -> None:
        self._clock = clock
        self.timeout_seconds = timeout_seconds
        self.deliveries: list[Delivery] = []
        self._client = httpx.AsyncClient(
            verify=trust,
            trust_env=False,
            follow_redirects=False,
            # The deadline is kept by `_attempt`, over the whole attempt.
            timeout=httpx.Timeout(None),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def send(
        self, url: str, headers: Mapping[str, str], body: bytes, *, about: Mapping[str, object]
    ) -> None:
        """Send one delivery. Raises Fault unless a 2xx came back in time."""
        at, attempts = self._clock.now(), 0
        status: int | None = None
        answer, fault = "", None
        while attempts < 2:
            attempts += 1
            status, answer, fault = await self._attempt(url, headers, body)
            if status not in _RETRIED:
                break
        self.deliveries.append(
            Delivery(
                at=at,
                url=url,
                headers=dict(headers),
                body=body,
                attempts=attempts,
                status=status,
                answer=answer,
                fault=fault.code if fault else None,
                **about,  # type: ignore[arg-type]
            )
        )
        if fault is not None:
            raise fault

    async def _attempt(
        self, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int | None, str, Fault | None]:
        try:
            async with asyncio.timeout(self.timeout_seconds):
                answer = await self._client.post(url, content=body, headers=dict(headers))
        except TimeoutError:
            text = "The webhook call failed because the http request timed out at client side."
            return None, "", Fault(400, WEBHOOK_TIMED_OUT, text)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            text = (
                "The webhook call failed because there was an issue with the http request. "
                f"{type(error).__name__}"
            )
            return None, "", Fault(400, WEBHOOK_UNREACHABLE, text)
        if answer.is_success:
            return answer.status_code, answer.text, None
        text = (
            "The webhook call failed because the http request payload has a non success "
            f"http status code. HttpStatusCode: {answer.status_code}"
        )
        return answer.status_code, answer.text, Fault(400, WEBHOOK_REFUSED, text)
