"""Where Dataverse cannot reach the guard is told, as far as it can be known from here."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from console.doctor.diagnosis import Severity
from console.doctor.installation import Installation, OwnApplication
from console.doctor.outside import WRONG_KEY, OutsideReach, certificate_end, misplaced
from kernel.clock import FrozenClock, SystemClock
from kernel.errors import Unavailable
from kernel.settings import Secret, load
from sandbox.certificates import Certificates


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://guard.contoso.com/webhooks/dataverse", "not https"),
        ("https://guard.contoso.com:8443/webhooks/dataverse", "port 8443"),
        ("https://10.0.0.7/webhooks/dataverse", "no public address"),
        ("https://127.0.0.1/webhooks/dataverse", "no public address"),
        ("https://guard/webhooks/dataverse", "no public name"),
        ("https://guard.internal/webhooks/dataverse", "no public name"),
        ("https://[bad/", "cannot be read"),
    ],
)
def test_an_address_that_dataverse_cannot_go_to_is_told(url: str, told: str) -> None:
    found = misplaced(url)
    assert found is not None
    assert told in found


def test_a_public_name_over_https_may_be_reached() -> None:
    assert misplaced("https://guard.contoso.com/webhooks/dataverse") is None
    assert misplaced("https://guard.contoso.com:443/webhooks/dataverse") is None


def house(clock: FrozenClock | SystemClock, url: str = "") -> Installation:
    bare = OwnApplication("guard", "", Secret(""), None, "", problem=Unavailable("None."))
    return Installation(load({}), clock, guard=bare, webhook_url=url)


async def test_without_an_address_nothing_is_known(clock: FrozenClock) -> None:
    (one,) = await OutsideReach().ask(house(clock))
    assert one.severity is Severity.NOT_KNOWN


async def test_a_misplaced_address_is_not_gone_to(clock: FrozenClock) -> None:
    (one,) = await OutsideReach().ask(house(clock, "http://guard.contoso.com/"))
    assert one.severity is Severity.ERROR


@pytest.fixture
def certificates() -> Certificates:
    return Certificates(hosts=("localhost",))


@pytest.fixture
async def server(certificates: Certificates) -> AsyncIterator[tuple[int, dict[str, int]]]:
    """A server that answers every request with one status; the status may be changed."""
    answer = {"status": 401}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert WRONG_KEY.encode() in head
        writer.write(f"HTTP/1.1 {answer['status']} Said\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    running = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=certificates.server_context())
    async with running:
        yield running.sockets[0].getsockname()[1], answer


@pytest.mark.parametrize(
    ("status", "severity"),
    [(401, Severity.WELL), (200, Severity.ERROR), (302, Severity.ERROR), (404, Severity.ERROR)],
)
async def test_a_wrong_key_must_be_refused(
    server: tuple[int, dict[str, int]],
    certificates: Certificates,
    status: int,
    severity: Severity,
) -> None:
    port, answer = server
    answer["status"] = status
    url = f"https://localhost:{port}/webhooks/dataverse"
    found = await OutsideReach()._refuses(url, certificates.client_context())
    assert found.severity is severity


async def test_the_end_of_a_certificate_is_read_and_told_before(
    server: tuple[int, dict[str, int]], certificates: Certificates
) -> None:
    port, _ = server
    ends = await certificate_end("localhost", port, certificates.client_context())
    near = house(FrozenClock(ends - timedelta(days=3)))
    near.public_trust = certificates.client_context()
    found = await OutsideReach()._certificate("localhost", port, "url", near)
    assert found.severity is Severity.WARN


async def test_a_certificate_that_is_not_publicly_trusted_is_an_error(
    server: tuple[int, dict[str, int]], clock: FrozenClock
) -> None:
    port, _ = server
    away = house(clock)
    away.public_trust = ssl.create_default_context()
    found = await OutsideReach()._certificate("localhost", port, "url", away)
    assert found.severity is Severity.ERROR
    assert "not trusted" in found.told


async def test_where_nothing_listens_is_not_known(clock: FrozenClock) -> None:
    away = house(clock)
    away.public_trust = ssl.create_default_context()
    found = await OutsideReach()._certificate("127.0.0.1", 9, "url", away)
    assert found.severity is Severity.NOT_KNOWN
