"""*Today*: what needs a person, and whether everything is well, on one screen."""

from __future__ import annotations

from console.web.page import Page, Shown, View, Visit


async def show(visit: Visit) -> Shown:
    """Show how the guard stands."""
    return Shown("today.html", {"state": await visit.parts.state()})


PAGE = Page("Today", "/", views=(View("/", show),))
