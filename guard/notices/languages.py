"""Languages by the locale ids that Dataverse keeps.

The lower ten bits of a locale id name the language, the others its country. Source: "[MS-LCID]:
Windows Language Code Identifier (LCID) Reference" of Microsoft's open specifications.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_LANGUAGE_BITS: Final = 0x3FF
LANGUAGES: Final[Mapping[int, str]] = MappingProxyType(
    {
        0x01: "ar", 0x02: "bg", 0x03: "ca", 0x04: "zh", 0x05: "cs", 0x06: "da", 0x07: "de",
        0x08: "el", 0x09: "en", 0x0A: "es", 0x0B: "fi", 0x0C: "fr", 0x0D: "he", 0x0E: "hu",
        0x10: "it", 0x11: "ja", 0x12: "ko", 0x13: "nl", 0x14: "nb", 0x15: "pl", 0x16: "pt",
        0x18: "ro", 0x19: "ru", 0x1A: "hr", 0x1B: "sk", 0x1D: "sv", 0x1E: "th", 0x1F: "tr",
        0x21: "id", 0x22: "uk", 0x24: "sl", 0x25: "et", 0x26: "lv", 0x27: "lt", 0x2A: "vi",
        0x2D: "eu", 0x39: "hi", 0x3E: "ms", 0x3F: "kk", 0x56: "gl",
    }
)  # fmt: skip


def language_of(locale: int | None) -> str | None:
    """Return the language that a locale id names; None for none, or for one that is not known."""
    return None if locale is None else LANGUAGES.get(locale & _LANGUAGE_BITS)
