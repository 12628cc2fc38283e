"""The HTTP client below the transport: no cookies, no redirects, no hidden repeats, bounded bodies.

httpx keeps the interface; httpx-aiohttp's transport does the work at a tenth of the CPU time
(docs/decisions/0006-http-transport.md).
"""

from __future__ import annotations

import ssl
from http.cookiejar import DefaultCookiePolicy

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from cloud.errors import BadAnswer
from kernel.errors import SettingInvalid

ANSWER_BYTES_MAX = 64 * 1024 * 1024
# httpx-aiohttp lets some of aiohttp's own errors through.
WIRE_ERRORS = (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, TimeoutError)
_CONNECTIONS_MAX = 256
_KEEP_ALIVE_SECONDS = 30.0


def trust_of(ca_bundle_file: str | None) -> ssl.SSLContext:
    """Return the TLS trust: the bundle named by the settings alone, else certifi's by httpx.

    Raises SettingInvalid for a file that is no bundle.
    """
    if ca_bundle_file is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cafile=ca_bundle_file)
    except (OSError, ValueError) as error:
        raise SettingInvalid(
            f"MAILBOX_GUARD_CA_BUNDLE_FILE cannot be used: {ca_bundle_file}",
            hint="Give a readable PEM file with the certificates of the trusted authorities.",
        ) from error


def aiohttp_wire(ca_bundle_file: str | None = None) -> httpx.AsyncBaseTransport:
    """Return the wire that production uses; it connects inside the first request's event loop."""
    trust = trust_of(ca_bundle_file)

    def open_session() -> aiohttp.ClientSession:
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=_CONNECTIONS_MAX, keepalive_timeout=_KEEP_ALIVE_SECONDS, ssl=trust
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        # aiohttp repeats a GET, PUT or DELETE by itself when a kept connection breaks. That would
        # be an attempt without a permit, and nobody's to count; there is no public switch.
        session._retry_connection = False
        return session

    return AiohttpTransport(verify=trust, trust_env=False, client=open_session)


def open_client(wire: httpx.AsyncBaseTransport, *, user_agent: str) -> httpx.AsyncClient:
    """Return a client over that wire which keeps no cookie and follows no redirect.

    ARRAffinity would pin every request to one web server of Dataverse.
    """
    client = httpx.AsyncClient(
        transport=wire,
        follow_redirects=False,
        trust_env=False,
        headers={"User-Agent": user_agent, "Accept": "application/json"},
    )
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client


def never_left(error: BaseException) -> bool:
    """Tell whether the request surely did not leave this machine.

    httpx-aiohttp names a connection lost in mid-request ConnectTimeout, so the aiohttp error below
    it decides.
    """
    below = _below(error)
    if isinstance(below, aiohttp.ClientError):
        return isinstance(below, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError)
    return isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)


def is_untrusted(error: BaseException) -> bool:
    """Tell whether the server's certificate was not trusted: another attempt sees the same one."""
    return isinstance(_below(error), aiohttp.ClientConnectorCertificateError)


def _below(error: BaseException) -> BaseException | None:
    return error if isinstance(error, aiohttp.ClientError) else error.__cause__


async def read_bounded(response: httpx.Response, most: int = ANSWER_BYTES_MAX) -> bytes:
    """Return the whole body; raises BadAnswer beyond that many bytes, and reads no further."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > most:
            raise BadAnswer(
                f"The service's answer is larger than {most} bytes.",
                hint="Ask for smaller pages.",
                status=response.status_code,
            )
        pieces.append(piece)
    return b"".join(pieces)
