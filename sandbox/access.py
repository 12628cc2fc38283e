"""What was asked of the sandbox, request by request: the proof that nothing was read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kernel.clock import Clock


@dataclass(frozen=True, slots=True)
class Access:
    """One request as it was received and answered."""

    at: datetime
    origin: str
    method: str
    path: str
    query: str
    status: int
    route: str | None
    caller: str | None
    user_agent: str
    client_request_id: str | None
    answer: bytes | None = None


class AccessLog:
    """Every request to every origin, in the order of its answer."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.entries: list[Access] = []
        # Answers are kept only for those who check their shape.
        self.keeps_answers = False

    def watch(self, app: ASGIApp, *, origin: str) -> ASGIApp:
        """Return the application with every request written down."""

        async def watched(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            scope.setdefault("state", {})
            status, answer = 0, b""

            async def sending(message: Message) -> None:
                nonlocal status, answer
                if message["type"] == "http.response.start":
                    status = message["status"]
                elif self.keeps_answers:
                    answer += message.get("body", b"")
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    self._note(scope, origin, status, answer)
                await send(message)

            await app(scope, receive, sending)

        return watched

    def _note(self, scope: Scope, origin: str, status: int, answer: bytes) -> None:
        headers = {
            key.decode("latin-1"): value.decode("latin-1") for key, value in scope["headers"]
        }
        state = scope["state"]
        self.entries.append(
            Access(
                at=self._clock.now(),
                origin=origin,
                method=scope["method"],
                path=scope["path"],
                query=unquote(scope["query_string"].decode("latin-1")),
                status=status,
                route=state.get("route"),
                caller=state.get("caller"),
                user_agent=headers.get("user-agent", ""),
                client_request_id=headers.get("client-request-id"),
                answer=answer if self.keeps_answers else None,
            )
        )
