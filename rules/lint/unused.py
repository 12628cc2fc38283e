"""Lint rules about what is written and never used, or written twice."""

from __future__ import annotations

from collections.abc import Iterator

from rules.lint.remark import Edit, LintRule, Remark
from rules.lint.subject import Subject
from rules.operators.fields import fold
from rules.policy.conditions import Location
from rules.policy.messages import HOLE
from rules.syntax.nodes import ListNode, MapNode, Node, ScalarNode


class UnusedParam(LintRule):
    """A param is named by no condition and no message."""

    code = "unused-param"
    level = "warning"
    doc = "No condition and no message of the policy uses the param."
    why = "Somebody will set it in an environment and believe that it does something."
    mend = "Remove it, or use it as {param: name}."
    is_fixable = True
    wrong = """\
params:
  profile: b7c9a0de-6f0e-4a51-9d5c-6a9e1f9b7a10
  domain: contoso.com
rules:
  - id: some-rule
    require: [{field: address, part: domain, equals: {param: domain}}]
    message: "{address} is elsewhere."
"""
    right = """\
params:
  domain: contoso.com
rules:
  - id: some-rule
    require: [{field: address, part: domain, equals: {param: domain}}]
    message: "{address} is elsewhere."
"""

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Compare the params of each policy with the names in its file."""
        overridden = {
            (policy, name)
            for _, root in subject.params_files()
            for policy, body in root.entries.items()
            if isinstance(body, MapNode)
            for name in body.entries
        }
        exceptions = [root for _, root in subject.of_kind("Exception")]
        for path, root in subject.of_kind("Policy"):
            params = root.entries.get("params")
            if not isinstance(params, MapNode):
                continue
            policy = _text_at(root, "name")
            others = [one for one in exceptions if _text_at(one, "policy") == policy]
            used = set(_operands(root, "param")) | set(_param_holes(root))
            for one in others:
                used |= set(_operands(one, "param"))
            for name, mark in params.keys.items():
                if name not in used:
                    # An environment that sets it would no longer load without it.
                    safe = (policy, name) not in overridden and len(params.keys) > 1
                    edit = _removal(subject, path, params, name) if safe else None
                    yield self.remark(
                        Location(path, mark.line, mark.column), f"Nothing uses the param `{name}`.",
                        edit=edit,
                    )  # fmt: skip


class UnusedList(LintRule):
    """A named list is used by no policy and no exception."""

    code = "unused-list"
    level = "warning"
    doc = "No policy and no exception uses the list."
    why = "It is kept up to date by somebody who believes that it protects something."
    mend = "Remove the file, or use it as {list: name}."
    wrong = "kind: List\nname: retired-domains\nitems: [fabrikam.com]\n"
    right = "kind: List\nname: known-domains # example-policy uses it\nitems: [contoso.com]\n"

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Compare the lists with the names in policies and exceptions."""
        used: set[str] = set()
        for kind in ("Policy", "Exception"):
            for _, root in subject.of_kind(kind):
                used |= set(_operands(root, "list"))
        for path, root in subject.of_kind("List"):
            name = root.entries.get("name")
            if isinstance(name, ScalarNode) and name.text not in used:
                yield self.remark(
                    Location(path, name.line, name.column), f"Nothing uses the list `{name.text}`."
                )


class DuplicateItem(LintRule):
    """A list has the same item twice."""

    code = "duplicate-item"
    level = "warning"
    doc = "The list has the same item twice, by its own case rule."
    why = "Whoever removes the one they find believes that the item is gone."
    mend = "Keep one of them."
    is_fixable = True
    wrong = """\
kind: List
name: known-domains
caseless: true
items:
  - contoso.com
  - Contoso.com
"""
    right = "kind: List\nname: known-domains\ncaseless: true\nitems:\n  - contoso.com\n"

    def check(self, subject: Subject) -> Iterator[Remark]:
        """Compare the items of each list with each other."""
        for path, root in subject.of_kind("List"):
            items = root.entries.get("items")
            caseless = root.entries.get("caseless")
            folds = isinstance(caseless, ScalarNode) and caseless.content is True
            first: dict[str, Node] = {}
            for node in items.items if isinstance(items, ListNode) else ():
                text = node.text if isinstance(node, ScalarNode) else ""
                key = fold(text) if folds else text
                earlier = first.setdefault(key, node)
                if earlier is not node:
                    yield self.remark(
                        Location(path, node.line, node.column),
                        f"`{text}` stands in line {earlier.line} already.",
                        edit=_item_removal(subject, path, node),
                    )


def _text_at(root: MapNode, key: str) -> str:
    node = root.entries.get(key)
    return node.text if isinstance(node, ScalarNode) else ""


def _operands(node: Node, source: str) -> Iterator[str]:
    """Yield the names in every `{param: name}` or `{list: name}` below a node."""
    if isinstance(node, ListNode):
        for item in node.items:
            yield from _operands(item, source)
    elif isinstance(node, MapNode):
        for key, value in node.entries.items():
            if key == source and len(node.entries) == 1 and isinstance(value, ScalarNode):
                yield value.text
            else:
                yield from _operands(value, source)


def _param_holes(node: Node) -> Iterator[str]:
    if isinstance(node, ScalarNode):
        for hole in HOLE.finditer(node.text):
            root, _, name = hole.group(1).partition(".")
            if root == "params":
                yield name
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from _param_holes(item)
    elif isinstance(node, MapNode):
        for value in node.entries.values():
            yield from _param_holes(value)


def _removal(subject: Subject, path: str, body: MapNode, name: str) -> Edit | None:
    """Return the edit that takes out one key of a block mapping whose value is on the same line."""
    mark, value = body.keys[name], body.entries[name]
    line = subject.texts[path].splitlines()[mark.line - 1]
    alone = line.strip().startswith(f"{name}:") and isinstance(value, ScalarNode)
    ends = line.rstrip().endswith(("|", ">", "|-", ">-", ":"))
    if not alone or ends or value.line != mark.line:
        return None
    # Only a key on a line of its own can be taken out without reading YAML again.
    nexts = [one.line for one in body.keys.values() if one.line > mark.line]
    following = subject.texts[path].splitlines()[mark.line : min(nexts, default=mark.line + 1) - 1]
    # A quoted text may go on over several lines; then the author must do it.
    return None if any(map(str.strip, following)) else Edit(path, mark.line, 1, ())


def _item_removal(subject: Subject, path: str, node: Node) -> Edit | None:
    line = subject.texts[path].splitlines()[node.line - 1]
    before = line[: node.column - 1].strip()
    return Edit(path, node.line, 1, ()) if before == "-" else None
