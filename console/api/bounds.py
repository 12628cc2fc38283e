"""What goes around every request of the API: bounds before it, and what caches may do after it.

A body is read to its bound and no further, then handed on whole. Nothing that is answered may be
kept by anybody; whoever asks again with the digest of what they have gets 304 when it still holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from console.api.refusals import RequestTooLarge
from console.problems import problem_of

MOST_BODY_BYTES: Final = 64 * 1024
MOST_QUERY_BYTES: Final = 8 * 1024
MOST_PATH_CHARACTERS: Final = 512
_GOOD: Final = 200

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


class Bounds:
    """An ASGI application around another one."""

    def __init__(self, inner: Application) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request within the bounds; refuse any other."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        refused = self._refused(scope)
        body = b"" if refused else await _body(receive)
        if refused or body is None:
            refused = refused or f"The body is larger than {MOST_BODY_BYTES} bytes."
            error = RequestTooLarge(refused, hint="Ask for less at once.")
            await problem_of(error)(scope, receive, send)
            return
        await self._inner(scope, _once(body, receive), _Answer(scope, send).send)

    def _refused(self, scope: Scope) -> str | None:
        if len(scope["path"]) > MOST_PATH_CHARACTERS:
            return f"The path is longer than {MOST_PATH_CHARACTERS} characters."
        if len(scope["query_string"]) > MOST_QUERY_BYTES:
            return f"The query is larger than {MOST_QUERY_BYTES} bytes."
        return None


class _Answer:
    """Holds an answer back until it is whole, so that its digest can stand in its head."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._is_read = scope["method"] in ("GET", "HEAD")
        self._known = next(
            (value for name, value in scope["headers"] if name == b"if-none-match"), None
        )
        self._start: Message = {}
        self._parts: list[bytes] = []

    async def send(self, message: Message) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._parts.append(message.get("body", b""))
        if message.get("more_body"):
            return
        body = b"".join(self._parts)
        headers = [
            (name, value)
            for name, value in self._start.get("headers", ())
            if name.lower() not in (b"cache-control", b"content-length")
        ]
        headers.append((b"cache-control", b"no-store"))
        headers.append((b"x-content-type-options", b"nosniff"))
        if self._is_read and self._start["status"] == _GOOD:
            tag = b'"%b"' % hashlib.sha256(body).hexdigest()[:32].encode()
            headers.append((b"etag", tag))
            if self._known is not None and tag in self._known:
                headers = [one for one in headers if one[0].lower() != b"content-type"]
                await self._send({**self._start, "status": 304, "headers": headers})
                await self._send({"type": "http.response.body", "body": b""})
                return
        headers.append((b"content-length", str(len(body)).encode()))
        await self._send({**self._start, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})


async def _body(receive: Receive) -> bytes | None:
    """Return the body; None for one beyond the bound."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return b"".join(parts)
        part = message.get("body", b"")
        size += len(part)
        if size > MOST_BODY_BYTES:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _once(body: bytes, receive: Receive) -> Receive:
    given = False

    async def receive_once() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_once
