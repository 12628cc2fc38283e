"""Lists, exceptions and params files become values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rules.engine.exceptions import is_current
from rules.load.conditions import read_conditions
from rules.load.keys import (
    Complaints,
    Keys,
    date_hint,
    mapping_of,
    moment_from,
    read_head,
    read_version,
)
from rules.load.literals import plain_objection
from rules.load.policy import PolicyHeader, param_value
from rules.load.scope import NamedList, Scope
from rules.model.catalogue import Catalogue
from rules.policy.policy import MODES, Policy, PolicyException
from rules.syntax.complaint import closest
from rules.syntax.nodes import MapNode, Node, ScalarNode

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


def read_list(body: MapNode, complaints: Complaints) -> tuple[str, NamedList]:
    """Return a named list with its name."""
    keys = Keys(body, complaints, what="list")
    keys.get("kind")
    read_version(keys, required=False)
    name = keys.name("name")
    for key in ("title", "description", "contact"):
        keys.text(key)
    caseless = keys.flag("caseless")
    if "caseless" in body.entries and not caseless:
        complaints.add(
            body.keys["caseless"], "case-idle",
            "`caseless: false` changes nothing: a list is compared as the field is.",
            hint="Remove it; `caseSensitive: true` in a condition compares with the case.",
        )  # fmt: skip
    keys.need("items")
    nodes = tuple(keys.texts("items"))
    for node in nodes:
        objection = plain_objection(node)
        if objection is not None:
            complaints.add(node, objection.code, objection.text, hint=objection.hint)
    keys.done()
    items = tuple(str(node.content) for node in nodes)
    return name, NamedList(items, caseless, complaints.file, nodes)


def read_exception(
    body: MapNode,
    complaints: Complaints,
    *,
    headers: Mapping[str, PolicyHeader],
    now: datetime | None,
) -> tuple[PolicyException, list[Node]]:
    """Return an exception and the nodes of its `when`, which are read once for each table."""
    keys = Keys(body, complaints, what="exception")
    keys.get("kind")
    read_version(keys, required=True)
    name = keys.name("name")
    policy = keys.text("policy", required=True)
    if policy and policy not in headers:
        complaints.add(
            body.entries["policy"],
            "policy-unknown",
            f"There is no policy `{policy[:80]}`.",
            hint=closest(policy, headers),
        )
    rule_nodes = keys.texts("rules", required=True)
    known = headers[policy].rule_ids if policy in headers else None
    for node in rule_nodes:
        if known is not None and node.content not in known:
            complaints.add(
                node,
                "rule-unknown",
                f"The policy `{policy}` has no rule `{node.text[:80]}`.",
                hint=closest(node.text, known),
            )
    if not rule_nodes and "rules" in body.entries:
        complaints.add(body.entries["rules"], "rule-unknown", "The exception names no rule.")
    found = PolicyException(
        name=name,
        policy=policy,
        rules=frozenset(str(node.content) for node in rule_nodes),
        reason=keys.text("reason", required=True),
        ticket=keys.text("ticket", required=True),
        approved_by=keys.text("approvedBy", required=True),
        ends=_ends(keys, now),
        when=(),
        place=complaints.place(body),
    )
    when = keys.sequence("when")
    keys.done()
    return found, when


def _ends(keys: Keys, now: datetime | None) -> datetime:
    node = keys.need("expires")
    if node is None:
        return _NEVER
    # As it is written: a number has the digits of the day that was meant.
    text = node.text if isinstance(node, ScalarNode) else ""
    ends = moment_from(text, end_of_day=True)
    if ends is None:
        keys.complaints.add(
            node, "date-invalid", f"`{text[:40]}` is not a date.", hint=date_hint(text)
        )
        return _NEVER
    if now is not None and ends > now and not is_current(ends, now):
        keys.complaints.add(
            node,
            "exception-too-long",
            f"The exception ends on {text}, more than 180 days ahead.",
            hint="Choose a nearer day and renew the exception when it comes.",
        )
    return ends


def resolve_when(
    nodes: list[Node], policy: Policy, catalogue: Catalogue, complaints: Complaints,
    lists: Mapping[str, NamedList],
) -> dict[str, Any]:  # fmt: skip
    """Return an exception's conditions for each table of its policy."""
    return {
        table: read_conditions(nodes, Scope(catalogue, table, policy.params, lists, complaints))
        for table in policy.tables
    }


def read_params(
    body: MapNode, complaints: Complaints, headers: Mapping[str, PolicyHeader]
) -> dict[str, tuple[dict[str, Any], str | None]]:
    """Return what one environment changes: for each policy its params and its mode."""
    read_head(Keys(body, complaints, what="params file"), "Params")
    found: dict[str, tuple[dict[str, Any], str | None]] = {}
    for policy, node in body.entries.items():
        if policy in ("apiVersion", "kind"):
            continue
        header = headers.get(policy)
        if header is None:
            complaints.add(
                body.keys[policy],
                "policy-unknown",
                f"There is no policy `{policy[:80]}`.",
                hint=closest(policy, headers),
            )
            continue
        entry = mapping_of(node, complaints, what="policy's params")
        if entry is not None:
            found[policy] = _overrides(entry, header, complaints)
    return found


def _overrides(
    entry: MapNode, header: PolicyHeader, complaints: Complaints
) -> tuple[dict[str, Any], str | None]:
    keys = Keys(entry, complaints, what="policy's params")
    mode = keys.choice("mode", MODES, default="", code="mode-unknown") or None
    params: dict[str, Any] = {}
    for name, node in entry.entries.items():
        if name == "mode":
            continue
        if name not in header.params:
            complaints.add(
                entry.keys[name],
                "param-unknown",
                f"The policy `{header.name}` has no param `{name[:80]}`.",
                hint=closest(name, [*header.params, "mode"]),
            )
            continue
        if isinstance(node, ScalarNode) and node.content is None:
            complaints.add(node, "type-wrong", f"The param `{name}` has no value.")
            continue
        value = param_value(node, complaints)
        if value is not None and _shape(value) is not _shape(header.params[name]):
            complaints.add(
                node, "param-misfit", f"The param `{name}` is of another kind in its policy."
            )
        elif value is not None:
            params[name] = value
    return params, mode


def _shape(value: Any) -> type:
    return float if isinstance(value, int) and not isinstance(value, bool) else type(value)
