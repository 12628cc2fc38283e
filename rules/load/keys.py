"""Reading keys of a mapping node: every mistake becomes a complaint, and reading goes on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from rules.policy.conditions import Location
from rules.syntax.complaint import Complaint, Level, article, closest
from rules.syntax.nodes import ListNode, MapNode, Node, ScalarNode

VERSIONS: Final = ("guard/v1",)
LANGUAGE: Final = re.compile(r"[a-z]{2,3}(-[A-Z]{2})?")
"""A language by its tag, alone or with a country: `de`, `de-AT`."""
MOST_LANGUAGES: Final = 40
NAME: Final = re.compile(r"[a-z0-9-]{3,63}")
_MOST_TEXT: Final = 4_000
_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)


class Complaints:
    """Collects the complaints about one file."""

    def __init__(self, file: str, found: list[Complaint]) -> None:
        self.file = file
        self.found = found

    def add(
        self,
        node: Node,
        code: str,
        text: str,
        *,
        hint: str | None = None,
        level: Level = "error",
    ) -> None:
        """Add a complaint at the node's place."""
        self.found.append(Complaint(self.file, node.line, node.column, code, text, hint, level))

    def place(self, node: Node) -> Location:
        """Return the node's place."""
        return Location(self.file, node.line, node.column)


class Keys:
    """The keys of one mapping, read by what they must hold.

    A key that is missing or holds something else gives the default and a complaint; `done`
    complains about the keys that nobody asked for.
    """

    def __init__(self, node: MapNode, complaints: Complaints, *, what: str) -> None:
        self.node = node
        self.complaints = complaints
        self.what = what
        self._known: list[str] = []

    def get(self, key: str) -> Node | None:
        """Return the node of a key; None when the key is absent or, after a complaint, empty."""
        found = self._find(key)
        if found is None and key in self.node.entries:
            self.complaints.add(
                self.node.keys.get(key, self.node), "type-wrong", f"`{key}` stands empty.",
                hint="Give it a value, or remove it.",
            )  # fmt: skip
        return found

    def _find(self, key: str) -> Node | None:
        # Whatever was asked for is a key; so `done` needs no list of its own.
        self._known.append(key)
        found = self.node.entries.get(key)
        return None if isinstance(found, ScalarNode) and found.content is None else found

    def need(self, key: str) -> Node | None:
        """Return the node of a key that must be there."""
        found = self._find(key)
        if found is None:
            at = self.node.keys.get(key, self.node)
            self.complaints.add(
                at, "key-missing", f"The {self.what} lacks `{key}`.", hint=f"Add `{key}:`."
            )
        return found

    def text(self, key: str, *, required: bool = False, default: str = "") -> str:
        """Return the text of a key."""
        node = self.need(key) if required else self.get(key)
        if node is None or not self._is_text(key, node) or not isinstance(node, ScalarNode):
            return default
        return str(node.content)

    def _is_text(self, key: str, node: Node) -> bool:
        """Return whether a key holds a text of bearable length; complain where it doesn't."""
        if not isinstance(node, ScalarNode) or not isinstance(node.content, str):
            self.complaints.add(
                node, "type-wrong", f"`{key}` must be a text.", hint="Put it in quotes."
            )
            return False
        if len(node.content) > _MOST_TEXT:
            self.complaints.add(
                node, "type-wrong", f"`{key}` is longer than {_MOST_TEXT} characters."
            )
            return False
        return True

    def texts_by_language(self, key: str, *, required: bool = False) -> dict[str, ScalarNode]:
        """Return the text of a key in each language; one text alone stands under an empty tag."""
        node = self.need(key) if required else self.get(key)
        if node is None:
            return {}
        if not isinstance(node, MapNode):
            return {"": node} if self._is_text(key, node) and isinstance(node, ScalarNode) else {}
        if not 0 < len(node.entries) <= MOST_LANGUAGES:
            self.complaints.add(
                node, "type-wrong", f"`{key}` must be in 1 to {MOST_LANGUAGES} languages."
            )
        found = {}
        for tag, one in node.entries.items():
            if not LANGUAGE.fullmatch(tag):
                self.complaints.add(
                    node.keys[tag],
                    "language-unknown",
                    f"`{tag[:80]}` is not a language.",
                    hint="Use tags such as en, de or de-AT.",
                )
            elif self._is_text(tag, one) and isinstance(one, ScalarNode):
                found[tag] = one
        return found

    def name(self, key: str, *, required: bool = True) -> str:
        """Return a name of 3 to 63 small letters, digits and hyphens."""
        found = self.text(key, required=required)
        if found and not NAME.fullmatch(found):
            self.complaints.add(
                self.node.entries[key],
                "name-invalid",
                f"`{found[:80]}` is not a name: use 3 to 63 small letters, digits or hyphens.",
            )
        return found

    def choice(
        self, key: str, allowed: Iterable[str], *, default: str, code: str = "value-unknown"
    ) -> str:
        """Return one of the allowed words."""
        node = self.get(key)
        if node is None:
            return default
        words = tuple(allowed)
        if isinstance(node, ScalarNode) and node.content in words:
            return str(node.content)
        self.complaints.add(
            node,
            code,
            f"`{key}` must be one of {', '.join(words)}.",
            hint=closest(_shown(node), words),
        )
        return default

    def mapping(self, key: str, *, required: bool = False) -> MapNode | None:
        """Return the mapping of a key."""
        node = self.need(key) if required else self.get(key)
        if node is None or isinstance(node, MapNode):
            return node
        self.complaints.add(node, "type-wrong", f"`{key}` must be a mapping of keys to values.")
        return None

    def sequence(self, key: str, *, required: bool = False) -> list[Node]:
        """Return the items of a key that holds a list."""
        node = self.need(key) if required else self.get(key)
        if node is None:
            return []
        if isinstance(node, ListNode):
            return node.items
        self.complaints.add(
            node, "type-wrong", f"`{key}` must be a list.", hint="Begin each item with `- `."
        )
        return []

    def texts(self, key: str, *, required: bool = False) -> list[ScalarNode]:
        """Return the scalars of a key that holds a list of texts."""
        found = []
        for item in self.sequence(key, required=required):
            if isinstance(item, ScalarNode) and isinstance(item.content, str):
                found.append(item)
            else:
                shown = f'"{item.text[:80]}"' if isinstance(item, ScalarNode) and item.text else ""
                self.complaints.add(
                    item, "type-wrong", f"Each item of `{key}` must be a text.",
                    hint=f"Write {shown} in quotes." if shown else None,
                )  # fmt: skip
        return found

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Return true or false."""
        node = self.get(key)
        if node is None:
            return default
        if isinstance(node, ScalarNode) and isinstance(node.content, bool):
            return node.content
        self.complaints.add(node, "type-wrong", f"`{key}` must be true or false.")
        return default

    def done(self) -> None:
        """Complain about every key that was not asked for."""
        for key, node in self.node.keys.items():
            if key not in self._known:
                self.complaints.add(
                    node,
                    "key-unknown",
                    f"`{key[:80]}` is not a key of {article(self.what)}.",
                    hint=closest(key, self._known),
                )


def mapping_of(node: Node, complaints: Complaints, *, what: str) -> MapNode | None:
    """Return the node if it is a mapping; complain otherwise."""
    if isinstance(node, MapNode):
        return node
    hint = "Write `key: value` below it."
    text = f"{article(what).capitalize()} must be a mapping of keys to values."
    complaints.add(node, "type-wrong", text, hint=hint)
    return None


def read_version(keys: Keys, *, required: bool) -> None:
    """Complain unless the apiVersion is one that is read."""
    found = keys.text("apiVersion", required=required)
    if found and found not in VERSIONS:
        keys.complaints.add(
            keys.node.entries["apiVersion"],
            "version-unknown",
            f"The version `{found[:40]}` is not read.",
            hint=f"Write {VERSIONS[0]}.",
        )


def read_head(keys: Keys, kind: str) -> None:
    """Read the keys that say what a file is, where its place says so already."""
    read_version(keys, required=False)
    keys.choice("kind", (kind,), default=kind, code="kind-unknown")


def moment_from(text: Any, *, end_of_day: bool = False) -> datetime | None:
    """Return the UTC moment of an ISO text; a date is its begin, or the end of that day."""
    # Python reads more forms than a person would recognise: `20261130` as the begin of that day.
    if not isinstance(text, str) or len(text) > 40 or not _MOMENT.fullmatch(text):
        return None
    try:
        if len(text) == 10:
            midnight = datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
            return midnight + timedelta(days=1) if end_of_day else midnight
        moment = datetime.fromisoformat(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def date_hint(text: str) -> str:
    """Return how a date is written, with the digits of the one that was meant where it has them."""
    digits = "".join(char for char in text if char in "0123456789")
    if len(digits) == 8 and text.isdigit():
        return f"Write it as {digits[:4]}-{digits[4:6]}-{digits[6:]}."
    return "Write it as 2026-12-31."


def _shown(node: Node) -> str:
    return node.text[:80] if isinstance(node, ScalarNode) else ""
