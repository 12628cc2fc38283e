"""A request to Graph as the handlers see it, and how a handler is registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sandbox.graph.problems import Problem
from sandbox.odata import split_outside
from sandbox.routes import route
from sandbox.tokens import Bearer


@dataclass(slots=True)
class Ask:
    """One request: who asks, for what, with which options."""

    bearer: Bearer
    variables: Mapping[str, str]
    options: Mapping[str, str]
    preferences: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    base: str
    path: str
    now: datetime
    applied: list[str] = field(default_factory=list)

    @property
    def immutable(self) -> bool:
        """Tell whether ids are wanted in their immutable format."""
        wanted = self.preferences.get("idtype", "").casefold() == "immutableid"
        if wanted:
            self.apply('IdType="ImmutableId"')
        return wanted

    @property
    def text_body(self) -> bool:
        """Tell whether bodies are wanted as text."""
        wanted = self.preferences.get("outlook.body-content-type", "").casefold() == "text"
        if wanted:
            self.apply('outlook.body-content-type="text"')
        return wanted

    @property
    def page_size(self) -> int | None:
        """Return the page size of the Prefer header, if any."""
        text = self.preferences.get("odata.maxpagesize", "")
        if not text.isdigit() or int(text) < 1:
            return None
        self.apply(f"odata.maxpagesize={text}")
        return int(text)

    def apply(self, preference: str) -> None:
        """Note that a preference was honoured."""
        if preference not in self.applied:
            self.applied.append(preference)

    def whole(self, option: str, *, default: int) -> int:
        """Return an option that must be a whole number. Raises Problem."""
        text = self.options.get(option)
        if text is None:
            return default
        if not text.isdigit():
            raise Problem(400, "BadRequest", f"Invalid value '{text}' for {option}.")
        return int(text)

    def select(self) -> list[str]:
        """Return the selected property names."""
        return split_outside(self.options.get("$select", ""), ",")

    def fields(self) -> Mapping[str, Any]:
        """Return the body as an object, action parameters found by any capitals."""
        if not isinstance(self.body, Mapping):
            raise Problem(400, "BadRequest", "Empty Payload. JSON content expected.")
        return self.body

    def parameter(self, name: str) -> Any:
        """Return an action's parameter; the service compares these names without case."""
        wanted = name.casefold()
        return next((v for k, v in self.fields().items() if k.casefold() == wanted), None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler answers: a JSON body, raw bytes, or nothing."""

    body: Mapping[str, Any] | None = None
    status: int = 200
    content: bytes | None = None
    content_type: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Ask], Answer]


@dataclass(frozen=True, slots=True)
class Served:
    """A registered route: method, pattern, handler."""

    name: str
    method: str
    pattern: tuple[str, ...]
    handler: Handler

    @property
    def enters_mailbox(self) -> bool:
        """Tell whether the route counts against the limits of a mailbox."""
        return self.pattern[2:3] in (("mailFolders",), ("messages",), ("sendMail",))


def serve(method: str, template: str, handler: Handler) -> Served:
    """Register a route of Graph by its template."""
    pattern = tuple(part for part in template.split("/") if part)
    return Served(route("graph", method, template), method, pattern, handler)


def demand(bearer: Bearer, *roles: str, directory: bool = False) -> None:
    """Raise Problem unless the token carries one of the roles."""
    if bearer.roles & set(roles):
        return
    if directory:
        raise Problem(
            403,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
    raise Problem(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
