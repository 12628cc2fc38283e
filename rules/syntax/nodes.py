"""YAML text becomes nodes that know their line and column, or complaints.

Only what a policy needs is read: one document, text keys, YAML 1.2 scalars (`no` and `on` stay
text), no tags beyond the plain ones. Duplicate keys are refused; size, nesting and what aliases
expand to are bounded. Nodes are built from the C parser's events, because composing by the C
loader recurses and dies on deep nesting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeAlias

import yaml

from rules.syntax.broken import break_of
from rules.syntax.complaint import Complaint

# The largest shipped policy has 2 KiB, the catalogue 22. What aliases expand to is counted, or ten
# lines would make a billion nodes.
MOST_BYTES: Final = 64 * 1024
MOST_DEPTH: Final = 40
MOST_NODES: Final = 40_000

Scalar: TypeAlias = "str | int | float | bool | None"

_WORDS: Final[dict[str, bool | None]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_BEGIN_NUMBERS: Final = frozenset("0123456789+-.")
# Each is bounded: Python refuses to read a number of thousands of digits, and raises.
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}")
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]{1,15}")
_OCTAL: Final = re.compile(r"0o[0-7]{1,20}")
_FLOAT: Final = re.compile(
    r"[-+]?(\.[0-9]{1,30}|[0-9]{1,30}(\.[0-9]{0,30})?)([eE][-+]?[0-9]{1,2})?"
)
_NO_TAG: Final = "Remove it; a text that begins with `!` stands in quotes."
_STR: Final = "tag:yaml.org,2002:str"
_TAGS: Final = frozenset(
    {_STR, "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq", "!", None}
)  # fmt: skip


class _Placed:
    """A place in a file."""

    __slots__ = ("column", "line")

    def __init__(self, mark: Any) -> None:
        self.line: int = mark.line + 1
        self.column: int = mark.column + 1


class ScalarNode(_Placed):
    """One scalar; `text` is as written, `content` its YAML 1.2 value.

    `is_plain` says that it stands without quotes.
    """

    __slots__ = ("content", "is_plain", "text")

    weight = 1
    height = 1

    def __init__(self, mark: Any, text: str, *, is_plain: bool) -> None:
        # The commonest node by far, so that its place is set here and not by a call.
        self.line = mark.line + 1
        self.column = mark.column + 1
        self.text = text
        self.is_plain = is_plain
        self.content = resolve(text) if is_plain else text

    def value(self) -> Scalar:
        """Return the scalar's YAML 1.2 value."""
        return self.content


class ListNode(_Placed):
    """A sequence of nodes."""

    __slots__ = ("height", "items", "weight")

    def __init__(self, mark: Any) -> None:
        super().__init__(mark)
        self.weight = 1
        self.height = 1
        self.items: list[Node] = []

    def value(self) -> list[Any]:
        """Return the plain values in order."""
        return [item.value() for item in self.items]


class MapNode(_Placed):
    """A mapping from text to nodes; merge keys are already resolved."""

    __slots__ = ("entries", "height", "keys", "merged", "weight")

    def __init__(self, mark: Any) -> None:
        super().__init__(mark)
        self.weight = 1
        self.height = 1
        self.entries: dict[str, Node] = {}
        self.keys: dict[str, ScalarNode] = {}
        self.merged: list[Node] = []

    def value(self) -> dict[str, Any]:
        """Return the plain values by key."""
        return {key: node.value() for key, node in self.entries.items()}


Node: TypeAlias = ScalarNode | ListNode | MapNode
"""One of the three kinds; all know their place, their plain value, their size and their depth."""


class _Refused(Exception):
    def __init__(self, mark: Any, code: str, text: str, hint: str | None = None) -> None:
        super().__init__(text)
        self.mark = mark
        self.code = code
        self.text = text
        self.hint = hint


def resolve(text: str) -> Scalar:
    """Return the YAML 1.2 core value of a plain scalar."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _BEGIN_NUMBERS:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _HEXADECIMAL.fullmatch(text):
            return int(text, 16)
        if _OCTAL.fullmatch(text):
            return int(text, 8)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


def read_nodes(file: str, text: str, complaints: list[Complaint]) -> Node | None:
    """Return the root node of a file; None after adding complaints, or for an empty file."""
    if len(text) > MOST_BYTES or len(text.encode("utf-8", "replace")) > MOST_BYTES:
        complaints.append(
            Complaint(file, 1, 1, "file-too-large", "The file is larger than 64 KiB.", "Split it.")
        )
        return None
    builder = _Builder(file, complaints)
    try:
        # Events carry no tags that could build anything; the safe C loader only parses here.
        parser = yaml.CSafeLoader(text)
        builder.take_all(parser.get_event)
    except _Refused as refused:
        builder.complain(refused.mark, refused.code, refused.text, refused.hint)
        return None
    except yaml.YAMLError as error:
        found = break_of(text, error)
        complaints.append(
            Complaint(file, found.line, found.column, "yaml-syntax", found.text, found.hint)
        )
        return None
    except UnicodeError as error:
        reason = str(error).split("\n", 1)[0][:120]
        builder.complain(None, "yaml-syntax", f"This is not YAML: {reason}.")
        return None
    return builder.root


def read_whole(file: str, text: str, complaints: list[Complaint]) -> Node | None:
    """Return the root node of a file that must hold something, as `read_nodes` does.

    A file that an editor is about to write again is empty for a moment: left out silently, it
    would be a policy that no longer protects.
    """
    before = len(complaints)
    root = read_nodes(file, text, complaints)
    if root is None and len(complaints) == before:
        complaints.append(
            Complaint(file, 1, 1, "file-empty", "The file is empty.", "Write it, or remove it.")
        )
    return root


class _Builder:
    """Builds nodes from events with its own stack, so that depth costs no recursion."""

    def __init__(self, file: str, complaints: list[Complaint]) -> None:
        self.root: Node | None = None
        self._file = file
        self._complaints = complaints
        self._open: list[tuple[MapNode | ListNode, str | None]] = []
        self._keys: list[ScalarNode | None] = []
        self._anchors: dict[str, Node | None] = {}
        self._total = 0
        self._documents = 0

    def complain(self, mark: Any, code: str, text: str, hint: str | None = None) -> None:
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        self._complaints.append(Complaint(self._file, line, column, code, text, hint))

    def take_all(self, next_event: Callable[[], Any]) -> None:
        """Build from every event; plain scalars inside something take the short way."""
        scalar, inside, keys = yaml.ScalarEvent, self._open, self._keys
        while (event := next_event()) is not None:
            if event.__class__ is not scalar or event.anchor or event.tag or not inside:
                self.take(event)
                continue
            text = event.value
            node = ScalarNode(event.start_mark, text, is_plain=event.implicit[0])
            self._total += 1
            if self._total > MOST_NODES:
                self._count(0, event)
            parent = inside[-1][0]
            if parent.__class__ is not MapNode:
                self._put(node)
                continue
            key = keys[-1]
            if key is None:
                keys[-1] = node
            elif key.text in parent.keys or key.text == "<<":
                self._put(node)
            else:
                keys[-1] = None
                parent.entries[key.text] = node
                parent.keys[key.text] = key
                parent.weight += 1
                if parent.height < 2:
                    parent.height = 2

    def take(self, event: yaml.Event) -> None:
        kind = event.__class__
        if kind is yaml.ScalarEvent:
            self._add(self._scalar(event), event)
        elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
            self._begin(event)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._end(event)
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent:
            self._documents += 1
            if self._documents > 1:
                raise _Refused(event.start_mark, "yaml-syntax", "A file holds one document only.")

    def _scalar(self, event: Any) -> ScalarNode:
        if event.tag not in _TAGS:
            raise _Refused(
                event.start_mark, "yaml-tag", f"The tag `{event.tag}` is not allowed.", _NO_TAG
            )
        return ScalarNode(event.start_mark, event.value, is_plain=event.implicit[0])

    def _begin(self, event: Any) -> None:
        mark = event.start_mark
        if event.tag not in _TAGS:
            raise _Refused(mark, "yaml-tag", f"The tag `{event.tag}` is not allowed.", _NO_TAG)
        if len(self._open) >= MOST_DEPTH:
            raise _Refused(mark, "nesting-too-deep", f"Values are nested deeper than {MOST_DEPTH}.")
        if self._open and isinstance(self._open[-1][0], MapNode) and self._keys[-1] is None:
            raise _Refused(mark, "yaml-syntax", "A key must be plain text.")
        node: MapNode | ListNode
        node = MapNode(mark) if isinstance(event, yaml.MappingStartEvent) else ListNode(mark)
        # Known but not whole yet, so that an alias to itself is told from one to nothing.
        if event.anchor:
            self._anchors[event.anchor] = None
        self._open.append((node, event.anchor))
        self._keys.append(None)

    def _end(self, event: Any) -> None:
        node, anchor = self._open.pop()
        self._keys.pop()
        if isinstance(node, MapNode):
            for source in node.merged:
                for key, value in _merge_sources(source, event):
                    # What is written in the mapping itself wins over what is merged into it.
                    node.entries.setdefault(key.text, value)
                    node.keys.setdefault(key.text, key)
        if anchor:
            self._anchors[anchor] = node
        self._put(node)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise _Refused(
                event.start_mark, "yaml-syntax", f"Nothing is anchored as `&{event.anchor}`.",
                "If a text begins with `*`, put it in quotes.",
            )  # fmt: skip
        target = self._anchors[event.anchor]
        if target is None:
            raise _Refused(
                event.start_mark, "alias-limit", f"The alias `*{event.anchor}` holds itself."
            )
        if len(self._open) + target.height > MOST_DEPTH:
            raise _Refused(
                event.start_mark, "nesting-too-deep", f"Values are nested deeper than {MOST_DEPTH}."
            )
        self._count(target.weight, event)
        self._put(target)

    def _count(self, weight: int, event: Any) -> None:
        self._total += weight
        if self._total > MOST_NODES:
            raise _Refused(
                event.start_mark, "alias-limit", f"Aliases expand to more than {MOST_NODES} nodes."
            )

    def _add(self, node: ScalarNode, event: Any) -> None:
        self._count(1, event)
        if event.anchor:
            self._anchors[event.anchor] = node
        self._put(node)

    def _put(self, node: Node) -> None:
        if not self._open:
            self.root = node
            return
        parent = self._open[-1][0]
        if isinstance(parent, ListNode):
            parent.items.append(node)
            parent.weight += node.weight
            parent.height = max(parent.height, node.height + 1)
            return
        key = self._keys[-1]
        if key is None:
            if not isinstance(node, ScalarNode):
                raise _Refused(_Mark(node), "yaml-syntax", "A key must be plain text.")
            self._keys[-1] = node
            return
        self._keys[-1] = None
        parent.weight += node.weight
        parent.height = max(parent.height, node.height + 1)
        if key.text == "<<" and key.content == "<<":
            parent.merged.append(node)
        elif key.text in parent.keys:
            first = parent.keys[key.text].line
            self.complain(
                _Mark(key),
                "yaml-duplicate-key",
                f"The key `{key.text[:80]}` stands here twice, first in line {first}.",
                "Keep one of them.",
            )
        else:
            parent.entries[key.text] = node
            parent.keys[key.text] = key


class _Mark:
    """The place of a node, in the parser's own counting from zero."""

    __slots__ = ("column", "line")

    def __init__(self, node: Node) -> None:
        self.line = node.line - 1
        self.column = node.column - 1


def _merge_sources(source: Node, event: Any) -> Iterator[tuple[ScalarNode, Node]]:
    sources = source.items if isinstance(source, ListNode) else [source]
    for each in sources:
        if not isinstance(each, MapNode):
            raise _Refused(event.start_mark, "yaml-syntax", "`<<` takes a mapping or several.")
        for key, value in each.entries.items():
            yield each.keys[key], value
