"""What the process was told to be: every setting with its value, and never a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from kernel.settings import Secret, Settings, declarations

SET: Final = "set"
NOT_SET: Final = "not set"


def list_settings(settings: Settings) -> list[dict[str, Any]]:
    """Return name, value, meaning and unit of each; of a secret only whether it is set."""
    return [
        {
            "name": name,
            "value": _shown(getattr(settings, item.name), is_open=item.repr),
            "is_default": getattr(settings, item.name) == item.default,
            "unit": declaration.unit,
            "doc": declaration.doc,
        }
        for name, (item, declaration) in declarations().items()
    ]


def _shown(value: Any, *, is_open: bool = True) -> str:
    """Return a value for people; of what does not show itself only whether it is set."""
    if not is_open:
        return SET if value else NOT_SET
    match value:
        case Secret():
            return SET if value else NOT_SET
        case tuple() | list() | frozenset():
            items = tuple(value)
            if any(isinstance(one, Secret) for one in items):
                return f"{len(items)} {SET}"
            return ", ".join(map(_shown, items)) or NOT_SET
        case bool():
            return str(value).lower()
        case None | "":
            return NOT_SET
        case float():
            return f"{value:g}"
        case Path() | str():
            return _without_user(str(value))
        case _:
            return str(value)


def _without_user(text: str) -> str:
    """Return a URL without the name and password that may stand before its host."""
    if "@" not in text or "://" not in text:
        return text
    parts = urlsplit(text)
    host = parts.netloc.rpartition("@")[2]
    # What stands behind the path may be a password too, as in some drivers' URLs.
    return urlunsplit((parts.scheme, host, parts.path, "", ""))
