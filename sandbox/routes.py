"""The registry of everything the sandbox serves: no route exists that is not in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class RouteName:
    """One thing that can be asked: of which origin, by which method, in which shape."""

    origin: str
    method: str
    template: str

    def __str__(self) -> str:
        return f"{self.origin} {self.method} {self.template}"


ROUTES: list[RouteName] = []


def route(origin: str, method: str, template: str) -> str:
    """Register a route and return its name, by which the access log knows it."""
    name = RouteName(origin, method, template)
    if name not in ROUTES:
        ROUTES.append(name)
    return str(name)


def mark(request: Request, name: str) -> None:
    """Note for the access log which route answers this request."""
    request.scope["state"]["route"] = name
