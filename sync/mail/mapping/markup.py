"""Whether HTML may be given to the cleaner, and what it says as text where it may not.

The cleaner builds a tree as browsers do. On some inputs that takes a time, or makes an output, that
grows with the square of their size: blocks in blocks, formatting that is never closed, attributes
without end. Here an input is read once, tag by tag, and its depth is bounded from above: what may
not be closed counts as open. Everything here is linear in the size of the input.

Source: the HTML standard, sections 13.2.5 (tokens) and 13.2.6 (what is open when).
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST_TAGS = 50_000
MOST_REFERENCES = 100_000
MOST_OPEN = 512
# What is open of formatting is opened again in every block that follows.
MOST_REOPENED = 500_000
MOST_ATTRIBUTES = 500

_TOKEN = re.compile(r"<(?:(!--)|([!?]|/(?![a-zA-Z]))|(/?)([a-zA-Z][^\t\n\f\r />]*+))")
_NAME = r"[^\t\n\f\r />][^\t\n\f\r />=]*+"
_VALUE = r"""(?:"[^"]*+"|'[^']*+'|[^\t\n\f\r >"'][^\t\n\f\r >]*+|(?=>))"""
_ATTRIBUTE = rf"{_NAME}(?:[\t\n\f\r ]*+=[\t\n\f\r ]*+{_VALUE})?+"
_ATTRIBUTES = re.compile(rf"(?:[\t\n\f\r /]++|{_ATTRIBUTE})*+>")
_ONE_ATTRIBUTE = re.compile(_ATTRIBUTE)
_COMMENT_END = re.compile(r"--!?>")
_START = re.compile(r"<[a-zA-Z]")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_VOID = _names(
    "area base basefont bgsound br col embed frame hr image img input keygen link meta param"
    " source track wbr"
)
# What another of its kind, or the end of what it is in, closes; deeper only within what is counted.
_IMPLIED = _names("body caption colgroup dd dt head html li p tbody td tfoot th thead tr")
_FORMATTING = _names("a b big code em font i nobr s small strike strong tt u")
_RAW = _names("iframe noembed noframes plaintext script style textarea title xmp")
# Within these, tags have rules of their own: from there on nothing counts as closed.
_FOREIGN = _names("math select svg")
_HIDDEN = _names("head script style title")
_BREAKING = _names(
    "address blockquote br div dl dd dt h1 h2 h3 h4 h5 h6 hr li ol p pre table tr ul"
)


@dataclass(frozen=True, slots=True)
class _Tag:
    """One tag: its name in small letters, and where it, and its inside, begin and end.

    One without a name is a comment, or what counts as one.
    """

    name: str
    is_end: bool
    start: int
    inside: int
    end: int


def is_tame(markup: str) -> bool:
    """Return whether the cleaner's work on HTML stays within bounds."""
    if markup.count("&") > MOST_REFERENCES:
        return False
    opened: list[str] = []
    formatting = reopened = 0
    for count, tag in enumerate(_tags(markup)):
        if count >= MOST_TAGS or _has_many_attributes(markup, tag):
            return False
        if tag.is_end:
            formatting -= _close(opened, tag.name)
        elif tag.name in _FOREIGN or _is_odd_script(markup, tag):
            rest = sum(1 for _ in _START.finditer(markup, tag.start))
            return len(opened) + rest <= MOST_OPEN
        elif tag.name and tag.name not in _VOID and tag.name not in _IMPLIED:
            opened.append(tag.name)
            formatting += tag.name in _FORMATTING
        reopened += formatting
        if len(opened) > MOST_OPEN or reopened > MOST_REOPENED:
            return False
    return True


def text_of(markup: str) -> str:
    """Return what HTML says, in lines; what it hides is left out."""
    pieces: list[str] = []
    at, hidden = 0, ""
    for tag in _tags(markup):
        if not hidden:
            pieces.append(html.unescape(markup[at : tag.start]))
            if tag.name in _BREAKING:
                pieces.append("\n")
        if tag.name in _HIDDEN and not (hidden and tag.name != hidden):
            hidden = "" if tag.is_end else tag.name
        at = tag.end
    if not hidden:
        pieces.append(html.unescape(_TOKEN.split(markup[at:], maxsplit=1)[0]))
    lines = ("".join(pieces)).replace("\r", "\n").split("\n")
    return "\n".join(kept for line in lines if (kept := " ".join(line.split())))


def _close(opened: list[str], name: str) -> bool:
    """Take an element from those that are open, if it is surely closed by its end tag.

    Formatting above it stays: it goes on in whatever comes next. Return whether what was closed is
    formatting itself.
    """
    for at in range(len(opened) - 1, -1, -1):
        if opened[at] == name:
            del opened[at]
            return name in _FORMATTING
        if opened[at] not in _FORMATTING:
            break
    return False


def _tags(markup: str) -> Iterator[_Tag]:
    """Yield the tags of HTML in order, and its comments; what stands in raw text is none."""
    at = 0
    while (found := _TOKEN.search(markup, at)) is not None:
        comment, bogus, slash, name = found.groups()
        if comment or bogus:
            at = found.end()
            at = _end_of_comment(markup, at) if comment else markup.find(">", at) + 1
            yield _Tag("", False, found.start(), found.end(), at or len(markup))
        else:
            closed = _ATTRIBUTES.match(markup, found.end())
            if closed is None:
                return
            name = name.lower()
            yield _Tag(name, bool(slash), found.start(), found.end(), closed.end())
            at = closed.end()
            if name in _RAW and not slash:
                at = _end_of_raw(markup, at, name)
        if at <= 0:
            return


def _end_of_comment(markup: str, at: int) -> int:
    for abrupt in (">", "->"):
        if markup.startswith(abrupt, at):
            return at + len(abrupt)
    ended = _COMMENT_END.search(markup, at)
    return 0 if ended is None else ended.end()


def _end_of_raw(markup: str, at: int, name: str) -> int:
    """Return where the end tag of raw text begins; 0 when it never ends."""
    if name == "plaintext":
        return 0
    ended = re.compile(rf"</{name}(?=[\t\n\f\r />])", re.IGNORECASE).search(markup, at)
    return 0 if ended is None else ended.start()


def _is_odd_script(markup: str, tag: _Tag) -> bool:
    """Return whether a script holds what may hide its own end."""
    if tag.name != "script":
        return False
    end = _end_of_raw(markup, tag.end, tag.name)
    return markup.find("<!--", tag.end, end or len(markup)) >= 0


def _has_many_attributes(markup: str, tag: _Tag) -> bool:
    # An attribute takes two characters at least.
    if tag.end - tag.inside <= 2 * MOST_ATTRIBUTES:
        return False
    found = _ONE_ATTRIBUTE.finditer(markup, tag.inside, tag.end - 1)
    return sum(1 for _ in found) > MOST_ATTRIBUTES
