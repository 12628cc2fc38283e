"""Bodies of mail become the HTML of a row's description: cleaned, bounded."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import nh3

from sync.errors import ItemUnreadable
from sync.mail.mapping.markup import is_tame, text_of
from sync.mail.mapping.text import allowed, lines_of, units_in

# The column takes 1,073,741,823 characters; a request of that size serves nobody.
MAX_CHARACTERS = 2_000_000
_SCHEMES = {"http", "https", "mailto", "tel", "cid"}


def description_of(message: Mapping[str, Any]) -> tuple[str | None, bool]:
    """Return the cleaned body and whether it was cut; None when the mail has no body.

    Scripts, styles, forms, frames and event attributes are gone; `cid:` images stay. HTML that
    would take the cleaner too long is kept as text.
    """
    body = message.get("body")
    if body is None:
        return None, False
    if not isinstance(body, Mapping) or not isinstance(body.get("content") or "", str):
        raise ItemUnreadable("`body` of the mail has no text.")
    content = body.get("content") or ""
    is_cut = units_in(content) > MAX_CHARACTERS
    content = lines_of(content, MAX_CHARACTERS)
    if str(body.get("contentType") or "html").casefold() == "text":
        return _escaped(content), is_cut
    if not is_tame(content):
        return _escaped(text_of(content)), is_cut
    # What was written as a reference, such as `&#11;`, is a character now.
    return allowed(nh3.clean(content, url_schemes=_SCHEMES)), is_cut


def _escaped(text: str) -> str:
    escaped = html.escape(allowed(text), quote=False)
    return escaped.replace("\r\n", "\n").replace("\n", "<br>")
