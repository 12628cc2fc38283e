"""docs/settings.md: every setting as it is declared."""

from __future__ import annotations

from dataclasses import Field
from pathlib import Path
from typing import Any

from kernel.settings import FILE_NAME, PREFIX, Declaration, declarations

_TYPES = {
    "str": "text",
    "Path": "path",
    "Path | None": "path",
    "Secret": "secret text",
    "tuple[Secret, ...]": "secret texts",
    "float": "number",
    "bool": "`true` or `false`",
}

_HEAD = f"""\
# Settings

Every setting can be given as `{PREFIX}<NAME>` in the environment, or under its name in lower case
without the prefix in `{FILE_NAME}` in the current directory; the environment wins. An empty value
means the default. An unknown name is refused, with the closest right one: a typo must not weaken
the guard. Secret values appear in no log, error or help text.

| setting | value | default | meaning |
|---|---|---|---|
"""


def settings_page() -> str:
    """Return docs/settings.md: every declared setting with value, default, unit and meaning."""
    rows = [
        f"| `{name}` | {_value(item, declaration)} | {_default(item, declaration)} "
        f"| {declaration.doc} |\n"
        for name, (item, declaration) in declarations().items()
    ]
    return _HEAD + "".join(rows)


def _value(item: Field[Any], declaration: Declaration) -> str:
    if declaration.choices:
        return ", ".join(f"`{choice}`" for choice in declaration.choices)
    if declaration.unit == "seconds":
        return "seconds, above 0"
    return declaration.unit or _TYPES[str(item.type)]


def _default(item: Field[Any], declaration: Declaration) -> str:
    if declaration.shown_default is not None:
        return declaration.shown_default
    match item.default:
        case bool(switch):
            return f"`{str(switch).lower()}`"
        case float(number):
            return f"`{number:g}`"
        case str(text) if text:
            return f"`{text}`"
        case Path() as path:
            return f"`{path}`"
        case _:
            # Only empty defaults are left, among them every secret's.
            return "none"
