"""The bodies of deliveries that are still coming in: so many bytes together, whoever sends them.

Whoever has the key may begin as many as there are descriptors and finish none. When there is too
much, the one that began first makes room: what Dataverse sends comes whole within moments.
"""

from __future__ import annotations

import asyncio

MOST_KEPT_BYTES = 64 * 1024 * 1024


class Crowded(Exception):
    """The body made room for others before it came whole."""


class Body:
    """What has come of one body, until it is whole or given up."""

    def __init__(self, patience: asyncio.Timeout) -> None:
        self.parts: list[bytes] = []
        self.size = 0
        self._patience = patience
        self._made_room = False

    def check(self) -> None:
        """Raise Crowded when it made room meanwhile."""
        if self._made_room:
            raise Crowded

    def make_room(self) -> None:
        """Let go of what came, and of whoever waits for the rest."""
        self._made_room = True
        self.parts.clear()
        self._patience.reschedule(asyncio.get_running_loop().time())


class Bodies:
    """The bodies under way in this process, the oldest first."""

    def __init__(self, most_bytes: int = MOST_KEPT_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept_bytes = 0
        self._here: dict[Body, None] = {}

    def begin(self, patience: asyncio.Timeout) -> Body:
        """Take in a body; `patience` ends its reading early when it has to make room."""
        body = Body(patience)
        self._here[body] = None
        return body

    def keep(self, body: Body, part: bytes) -> None:
        """Keep one more part of it. Raises Crowded when it made room before."""
        body.check()
        body.parts.append(part)
        body.size += len(part)
        self._kept_bytes += len(part)
        while self._kept_bytes > self._most_bytes:
            oldest = next(iter(self._here))
            self.end(oldest)
            oldest.make_room()
        body.check()

    def end(self, body: Body) -> None:
        """Forget it: it came whole, or is given up."""
        if body in self._here:
            del self._here[body]
            self._kept_bytes -= body.size
