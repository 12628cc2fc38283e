"""What a page is. How to add one:

1. Write `console/web/<name>.py`, named after what it shows. It holds one `PAGE`:

        PAGE = ConsolePage(
            "Mailboxes",
            "/mailboxes",
            views=(View("/mailboxes", show_all), View("/mailboxes/{id}", show_one)),
            acts=(Act("/mailboxes/{id}/pause", pause, AppRole.OPERATOR),),
            said={"paused": "The mailbox rests."},
        )

   A view takes a `PageVisit` and returns `Shown`: a template and its values. An act takes a
   `PageVisit` with a form, does one thing by the function that commands and the API call too, with
   `visit.principal`, and returns `Onward`: where the browser goes next, and the key of a sentence
   in `said`. Acts that give something back (approve, resume, release) say `gives=True`.
   Errors are raised as everywhere; they become pages with their message and hint.
2. Write its template under `templates/`: it extends `layout.html`, imports what pages share
   (`{% import "shared.html" as ui with context %}`), and makes of it moments, states, forms and
   empty places (`ui.time`, `ui.state`, `ui.act`, `ui.empty`). A form is made by `ui.act`, which
   carries the proof that it was sent from a page of ours; no styles or scripts stand inside.
3. Enter it in `table.py`, give it its place in `.importlinter`, and let `tests/browser` visit it.

What a page reads goes through `visit.read(fn)`, in a thread, so that no delivery waits for it.
Whoever comes to a view has an app role; nobody else gets that far.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Connection

from console.sign_in.allowed import require
from console.sign_in.authentication import SignedIn
from console.sign_in.refusals import RoleMissing
from console.web.parts import Parts
from kernel.errors import InputRefused
from kernel.principal import AppRole, Principal

MOST_FIELD = 2000
T = TypeVar("T")


class FieldUnusable(InputRefused):
    """A field of a form or an address is missing, too long, or says nothing."""

    code = "field-unusable"


@dataclass(frozen=True, slots=True)
class PageVisit:
    """One request of somebody signed in: by whom, for what, and what pages are made of."""

    parts: Parts
    who: SignedIn
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)

    @property
    def principal(self) -> Principal:
        """Return who it is."""
        return self.who.principal

    async def read(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` on a reading connection, in a thread. Raises Unavailable."""
        return await self.parts.database.read(fn)

    def may(self, role: AppRole, *, gives: bool = False) -> bool:
        """Return whether they may act in that role, so that a page offers only what works."""
        try:
            require(self.principal, role, gives=gives)
        except RoleMissing:
            return False
        return True

    def written(self, name: str, *, most: int = MOST_FIELD) -> str:
        """Return what was written into a field of the form. Raises FieldUnusable."""
        text = self.form.get(name, "").strip()
        if not text:
            raise FieldUnusable(
                f"The field `{name}` is empty.", hint="Go back and say why, in a few words."
            )
        if len(text) > most:
            raise FieldUnusable(
                f"The field `{name}` has more than {most} letters.", hint="Go back and shorten it."
            )
        return text


@dataclass(frozen=True, slots=True)
class Shown:
    """A page to be shown: its template, and the values in it."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Onward:
    """Something was done: where the browser goes, and the key of what is said of it there."""

    path: str
    said: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """An address at which something is shown."""

    path: str
    show: Callable[[PageVisit], Awaitable[Shown | Onward]]


@dataclass(frozen=True, slots=True)
class Act:
    """An address to which a form is sent, and who may; `gives`: it gives something back."""

    path: str
    do: Callable[[PageVisit], Awaitable[Onward]]
    role: AppRole
    gives: bool = False


@dataclass(frozen=True, slots=True)
class ConsolePage:
    """One page of the console. `said` are the sentences that tell what was done."""

    name: str
    path: str
    views: tuple[View, ...]
    acts: tuple[Act, ...] = ()
    said: Mapping[str, str] = field(default_factory=dict)
