"""A policy file becomes a Policy: its header first, then, when all names are known, its rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rules.load.conditions import read_conditions
from rules.load.keys import LANGUAGE, NAME, Complaints, Keys, mapping_of, read_version
from rules.load.literals import plain_objection
from rules.load.release import read_release
from rules.load.scope import NamedList, Scope
from rules.model.catalogue import Arrival, Catalogue, FieldReference
from rules.policy.conditions import Condition, Location
from rules.policy.messages import HOLE, value_words
from rules.policy.policy import (
    MODES,
    ON_ERROR,
    OPERATIONS,
    SEVERITIES,
    Message,
    Policy,
    Rule,
    TablePolicy,
    Wording,
)
from rules.syntax.complaint import FIELDS_LISTED, closest
from rules.syntax.nodes import ListNode, MapNode, Node, ScalarNode

_WHEN_ABSENT = frozenset({"create", "update"})


@dataclass(slots=True)
class PolicyHeader:
    """A policy as far as it can be read alone: everything but match and rules."""

    keys: Keys
    complaints: Complaints
    name: str
    title: str
    description: str
    severity: str
    category: str
    contact: str
    language: str
    mode: str
    on_error: str
    params: dict[str, Any]
    rule_ids: tuple[str, ...]
    place: Location


def read_header(body: MapNode, complaints: Complaints) -> PolicyHeader:
    """Return the header; every mistake in it becomes a complaint."""
    keys = Keys(body, complaints, what="policy")
    keys.get("kind")
    read_version(keys, required=True)
    name = keys.name("name")
    header = PolicyHeader(
        keys=keys,
        complaints=complaints,
        name=name,
        title=keys.text("title"),
        description=keys.text("description"),
        severity=keys.choice("severity", SEVERITIES, default="medium"),
        category=keys.text("category"),
        contact=keys.text("contact"),
        language=_language(keys),
        mode=keys.choice("mode", MODES, default="enforce", code="mode-unknown"),
        on_error=keys.choice("onError", ON_ERROR, default="reject"),
        params=_params(keys, complaints),
        rule_ids=tuple(_rule_ids(body)),
        place=complaints.place(body),
    )
    # Findings name policies; whoever reads one must find the file without searching.
    stem = complaints.file.rsplit("/", 1)[-1].rsplit(".", 1)[0]
    if name and name != stem:
        complaints.add(
            body.entries["name"],
            "name-not-file",
            f"The policy `{name}` stands in a file of another name.",
            hint=f"Call the file {name}.yaml.",
            level="warning",
        )
    return header


def read_rules(
    header: PolicyHeader,
    *,
    catalogue: Catalogue,
    lists: Mapping[str, NamedList],
    params: Mapping[str, Any],
    mode: str,
) -> Policy:
    """Return the whole policy, with the params and the mode that hold in the environment."""
    complaints = header.complaints
    match = header.keys.mapping("match", required=True)
    entities, operations, when = _match(match, catalogue, complaints)
    rule_nodes = header.keys.sequence("rules", required=True)
    if not rule_nodes and "rules" in header.keys.node.entries:
        complaints.add(
            header.keys.node.entries["rules"], "rules-missing", "The policy has no rule."
        )
    _refuse_duplicates(rule_nodes, complaints)
    header.keys.done()
    tables = {}
    for table in entities:
        scope = Scope(catalogue, table, params, lists, complaints)
        conditions = read_conditions(when, scope)
        found = (_rule(node, header, scope) for node in rule_nodes)
        rules = tuple(rule for rule in found if rule is not None)
        tables[table] = TablePolicy(header.name, table, operations, conditions, rules)
    return Policy(
        name=header.name,
        title=header.title,
        description=header.description,
        severity=header.severity,
        category=header.category,
        contact=header.contact,
        mode=mode,
        on_error=header.on_error,
        params=params,
        tables=tables,
        place=header.place,
    )


def _params(keys: Keys, complaints: Complaints) -> dict[str, Any]:
    found: dict[str, Any] = {}
    body = keys.mapping("params")
    for name, node in body.entries.items() if body is not None else ():
        # Params files set the mode of a policy beside its params, under this very key.
        if name == "mode":
            complaints.add(
                node, "param-reserved", "A param cannot be called `mode`.", hint="Rename it."
            )
        value = param_value(node, complaints)
        if value is not None:
            found[name] = value
    return found


def param_value(node: Node, complaints: Complaints) -> Any:
    """Return a scalar or a list of scalars; None after a complaint."""
    items = node.items if isinstance(node, ListNode) else [node]
    for item in items:
        if not isinstance(item, ScalarNode) or item.content is None:
            complaints.add(item, "type-wrong", "A param is a scalar or a list of scalars.")
            return None
        objection = plain_objection(item) if isinstance(item.content, str) else None
        if objection is not None:
            complaints.add(item, objection.code, objection.text, hint=objection.hint)
    return tuple(node.value()) if isinstance(node, ListNode) else node.value()


def _rule_ids(body: MapNode) -> list[str]:
    rules = body.entries.get("rules")
    ids = []
    for node in rules.items if isinstance(rules, ListNode) else ():
        id_node = node.entries.get("id") if isinstance(node, MapNode) else None
        if isinstance(id_node, ScalarNode) and isinstance(id_node.content, str):
            ids.append(id_node.content)
    return ids


def _match(
    match: MapNode | None, catalogue: Catalogue, complaints: Complaints
) -> tuple[list[str], frozenset[str], list[Node]]:
    if match is None:
        return [], _WHEN_ABSENT, []
    keys = Keys(match, complaints, what="match")
    entities = _entities(keys.need("entity"), catalogue, complaints)
    operations = set()
    for node in keys.texts("operations"):
        if node.content in OPERATIONS:
            operations.add(str(node.content))
            if node.content == "delete":
                complaints.add(
                    node, "operation-unnoticed",
                    "No delivery of a delete comes: the policy has no say about it.",
                    hint="Remove it; an approval ends with its row.",
                    level="warning",
                )  # fmt: skip
        else:
            complaints.add(
                node,
                "value-unknown",
                f"`{node.text[:40]}` is not an operation.",
                hint=closest(node.text, OPERATIONS) or f"They are {', '.join(OPERATIONS)}.",
            )
    when = keys.sequence("when")
    keys.done()
    return entities, frozenset(operations) or _WHEN_ABSENT, when


def _entities(node: Node | None, catalogue: Catalogue, complaints: Complaints) -> list[str]:
    found = []
    items = node.items if isinstance(node, ListNode) else [node] if node is not None else []
    if node is not None and not items:
        # A policy that matches nothing would look like one that guards.
        complaints.add(node, "entity-unknown", "The policy names no entity.")
    for item in items:
        name = item.content if isinstance(item, ScalarNode) else None
        if isinstance(name, str) and name in catalogue.entities:
            if name not in found:
                found.append(name)
            if catalogue.entities[name].arrives is Arrival.NEVER:
                complaints.add(
                    item, "entity-never-arrives",
                    f"Nothing is ever decided about `{name}`: no delivery of it comes.",
                    hint=f"These come: {', '.join(catalogue.arriving())}.",
                )  # fmt: skip
            continue
        shown = item.text[:80] if isinstance(item, ScalarNode) else "this"
        complaints.add(
            item,
            "entity-unknown",
            f"`{shown}` is not an entity of the catalogue.",
            hint=closest(shown, catalogue.entities) or f"It has {', '.join(catalogue.entities)}.",
        )
    return found


def _refuse_duplicates(nodes: list[Node], complaints: Complaints) -> None:
    first: dict[str, int] = {}
    for node in nodes:
        id_node = node.entries.get("id") if isinstance(node, MapNode) else None
        if not isinstance(id_node, ScalarNode) or not isinstance(id_node.content, str):
            continue
        if id_node.content in first:
            complaints.add(
                id_node,
                "rule-duplicate",
                f"The rule id `{id_node.content[:80]}` stands in line "
                f"{first[id_node.content]} already.",
            )
        first.setdefault(id_node.content, id_node.line)


def _rule(node: Node, header: PolicyHeader, scope: Scope) -> Rule | None:
    complaints = scope.complaints
    body = mapping_of(node, complaints, what="rule")
    if body is None:
        return None
    scope.used = 0
    keys = Keys(body, complaints, what="rule")
    rule_id = keys.name("id")
    allowed = scope.catalogue.entities[scope.table].effects.effects
    effect: Any = keys.choice("effect", allowed, default=allowed[0])
    severity = keys.choice("severity", SEVERITIES, default=header.severity)
    when = read_conditions(keys.sequence("when"), scope)
    require_nodes = keys.sequence("require", required=True)
    if not require_nodes and isinstance(body.entries.get("require"), ListNode):
        # All of nothing would always pass.
        complaints.add(
            body.entries["require"], "condition-shape", "`require` needs at least one condition."
        )
    require: tuple[Condition, ...] = read_conditions(require_nodes, scope)
    unless = read_conditions(keys.sequence("unless"), scope)
    language, own, wordings = _wordings(keys, header.language, scope)
    release = read_release(keys, effect, scope)
    rule = Rule(
        id=rule_id,
        effect=effect,
        severity=severity,
        when=when,
        require=require,
        unless=unless,
        message=own.message,
        help=own.help,
        place=complaints.place(body),
        language=language,
        wordings=wordings,
        release=release,
    )
    keys.done()
    # Read to its end even so, for every other mistake in it.
    return rule if require and NAME.fullmatch(rule_id) else None


def _language(keys: Keys) -> str:
    found = keys.text("language")
    if found and not LANGUAGE.fullmatch(found):
        keys.complaints.add(
            keys.node.entries["language"],
            "language-unknown",
            f"`{found[:80]}` is not a language.",
            hint="Use a tag such as en, de or de-AT.",
        )
    return found


def _wordings(
    keys: Keys, language: str, scope: Scope
) -> tuple[str, Wording, Mapping[str, Wording]]:
    """Return the policy's own language, what a rule says in it, and in others by their tags.

    Its own is the one that the policy names, else the first that the message has. What is written
    once, without a language, is in its own; a mend that another language lacks is shown in it.
    """
    messages = keys.texts_by_language("message", required=True)
    helps = keys.texts_by_language("help")
    own = language or next(iter(messages), "") or next(iter(helps), "")
    for key, texts in (("message", messages), ("help", helps)):
        if texts and own not in texts and "" not in texts:
            scope.complaints.add(
                keys.node.entries[key],
                "language-missing",
                f"`{key}` is not there in {own}, which is the policy's own language.",
                hint=f"Add `{own}:`, or name another language by the policy's key `language`.",
            )
    read = {tag: _message(node, scope) for tag, node in messages.items()}
    mends = {tag: str(node.content) or None for tag, node in helps.items()}
    of_own = Wording(
        read.get(own) or read.get("") or Message("", ()), mends.get(own) or mends.get("")
    )
    others = [tag for tag in (*read, *mends) if tag not in ("", own)]
    wordings = {
        tag: Wording(read.get(tag) or of_own.message, mends.get(tag) or of_own.help)
        for tag in others
    }
    return own, of_own, wordings


def _message(node: ScalarNode, scope: Scope) -> Message:
    text = str(node.content)
    if not text.strip():
        scope.complaints.add(
            node,
            "message-empty",
            "The message is empty: whoever is rejected would not be told why.",
            hint="Say what is wrong, with {address} or another field where it helps.",
        )
    pieces: list[str | FieldReference] = []
    end = 0
    for hole in HOLE.finditer(text):
        pieces.append(text[end : hole.start()])
        end = hole.end()
        filled = _hole(hole.group(1), node, scope)
        if filled is not None:
            pieces.append(filled)
    pieces.append(text[end:])
    return Message(text, tuple(piece for piece in pieces if piece != ""))


def _hole(path: str, node: Node, scope: Scope) -> str | FieldReference | None:
    root, dot, name = path.partition(".")
    if dot and root == "params":
        # A param is the same in every message, so it is filled in now.
        if name in scope.params:
            return value_words(scope.params[name])
        known = [f"params.{param}" for param in scope.params]
    else:
        found = scope.catalogue.resolve(scope.table, path)
        if found is not None:
            if found.field.arrives is Arrival.NEVER:
                scope.complain_absent(node, path)
            return found
        known = scope.catalogue.spellings(scope.table, like=path)
    scope.complaints.add(
        node,
        "hole-unknown",
        f"The message has a hole `{{{path[:80]}}}` that names no field and no param.",
        hint=closest(path, known) or FIELDS_LISTED,
    )
    return None
