"""Templates become pages: everything in them is escaped, an unknown name is a fault."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, select_autoescape

from console.web.values import in_text

FILES = {"console.css": "text/css", "console.js": "text/javascript", "icon.svg": "image/svg+xml"}


@cache
def static_file(name: str) -> bytes:
    """Return one of the files that pages refer to. Raises KeyError for any other name."""
    if name not in FILES:
        raise KeyError(name)
    return (files(__package__) / "static" / name).read_bytes()


@cache
def static_path(name: str) -> str:
    """Return the address of a file; it changes with what stands in it."""
    return f"/static/{name}?v={sha256(static_file(name)).hexdigest()[:12]}"


def rendered(template: str, values: Mapping[str, Any]) -> str:
    """Return the page."""
    return _environment().get_template(template).render(values)


def moment_of(value: str | datetime | None) -> datetime | None:
    """Return the moment of a text in ISO 8601, None where there is none."""
    if value is None or isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value).astimezone(UTC)
    except ValueError:
        return None


def in_words(value: str | datetime | None) -> str:
    """Return a moment as people read it, in UTC, to the minute."""
    moment = moment_of(value)
    return "never" if moment is None else f"{moment.day} {moment:%b %Y, %H:%M} UTC"


def since_in_words(value: str | datetime | None, now: datetime) -> str:
    """Return how long ago a moment was, or in how long it will be."""
    moment = moment_of(value)
    if moment is None:
        return "never"
    seconds = (now - moment).total_seconds()
    size = abs(seconds)
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if size >= length:
            count = int(size // length)
            told = f"{count} {unit}{'s' if count > 1 else ''}"
            return f"{told} ago" if seconds > 0 else f"in {told}"
    return "just now" if seconds >= 0 else "in a moment"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


@cache
def _environment() -> Environment:
    folder = files(__package__) / "templates"
    environment = Environment(
        loader=FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(in_text=in_text, in_words=in_words, since=since_in_words, iso=_iso)
    environment.globals.update(static=static_path, counted=counted)
    return environment


def _iso(value: str | datetime | None) -> str:
    moment = moment_of(value)
    return "" if moment is None else moment.isoformat(timespec="seconds").replace("+00:00", "Z")
