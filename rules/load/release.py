"""Who may release what a rule holds: `release` of a rule becomes its terms."""

from __future__ import annotations

import re
from typing import Final

from rules.load.keys import Keys
from rules.load.scope import Scope
from rules.policy.policy import ANY_APPROVER, LONGEST_HOLD_HOURS, ReleaseTerms
from rules.syntax.complaint import closest
from rules.syntax.nodes import ListNode, MapNode, Node, ScalarNode

MOST_NAMED: Final = 100
OBJECT_ID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
PERSON: Final = re.compile(rf"[^@\s]+@[^@\s]+|{OBJECT_ID.pattern}")


def read_release(keys: Keys, effect: str, scope: Scope) -> ReleaseTerms:
    """Return the terms of a rule's `release`; every mistake in it becomes a complaint."""
    body = keys.mapping("release")
    if body is None:
        return ANY_APPROVER
    if effect != "hold":
        scope.complaints.add(
            body, "release-idle", f"Nothing that a rule of the effect `{effect}` does is released.",
            hint="Remove `release`, or write `effect: hold`.",
        )  # fmt: skip
    inner = Keys(body, scope.complaints, what="release")
    approvers, named_list = _approvers(inner, scope)
    roles = _texts(inner, "entraRoles", OBJECT_ID, "the template id of a directory role")
    hours = _hours(inner)
    inner.done()
    return ReleaseTerms(approvers, roles, hours, named_list)


def _approvers(keys: Keys, scope: Scope) -> tuple[tuple[str, ...], str | None]:
    node = keys.node.entries.get("approvers")
    if not isinstance(node, MapNode):
        return _texts(keys, "approvers", PERSON, "an address or the object id of a person"), None
    keys.get("approvers")
    inner = Keys(node, scope.complaints, what="value")
    name = inner.text("list", required=True)
    inner.done()
    if name and name not in scope.lists:
        scope.complaints.add(
            node, "list-unknown", f"There is no list `{name[:80]}`.",
            hint=closest(name, scope.lists),
        )  # fmt: skip
    items = scope.lists[name].items if name in scope.lists else ()
    if name in scope.lists and not items:
        _refuse_empty(keys, node, "approvers")
    for item in items:
        if not PERSON.fullmatch(item):
            _refuse_text(keys, node, item, "an address or the object id of a person")
    return items, name or None


def _texts(keys: Keys, key: str, form: re.Pattern[str], what: str) -> tuple[str, ...]:
    nodes = keys.texts(key)
    holder = keys.node.entries.get(key)
    if isinstance(holder, ListNode) and not 0 < len(holder.items) <= MOST_NAMED:
        _refuse_empty(keys, holder, key)
    for node in nodes:
        if not form.fullmatch(str(node.content)):
            _refuse_text(keys, node, str(node.content), what)
    return tuple(str(node.content) for node in nodes)


def _refuse_empty(keys: Keys, node: Node, key: str) -> None:
    keys.complaints.add(
        node, "value-misfit", f"`{key}` names nobody, or more than {MOST_NAMED}.",
        hint="Without it any approver may release what the rule holds.",
    )  # fmt: skip


def _refuse_text(keys: Keys, node: Node, text: str, what: str) -> None:
    keys.complaints.add(node, "value-misfit", f"`{text[:80]}` is not {what}.")


def _hours(keys: Keys) -> int | None:
    node = keys.get("hours")
    if node is None:
        return None
    hours = node.content if isinstance(node, ScalarNode) else None
    if isinstance(hours, int) and not isinstance(hours, bool) and 1 <= hours <= LONGEST_HOLD_HOURS:
        return hours
    keys.complaints.add(
        node, "value-misfit", f"`hours` must be a whole number from 1 to {LONGEST_HOLD_HOURS}.",
        hint="What nobody released by then has to be asked for once more.",
    )  # fmt: skip
    return None
