"""The catalogue file (`fields.yaml`) becomes a Catalogue."""

from __future__ import annotations

from typing import Any, Final

from rules.load.keys import Complaints, Keys, mapping_of, read_head
from rules.model.catalogue import (
    NO_LABELS,
    SHARED_ROOTS,
    Catalogue,
    Entity,
    Field,
    Kind,
    make_entity,
)
from rules.model.effects import EFFECT_SETS, RECORDS, EffectSet
from rules.syntax.complaint import closest
from rules.syntax.nodes import ListNode, MapNode, ScalarNode

_HEADER: Final = ("apiVersion", "kind")


def read_catalogue(root: MapNode, complaints: Complaints) -> Catalogue:
    """Return the catalogue; every mistake in it becomes a complaint."""
    read_head(Keys(root, complaints, what="catalogue"), "Catalogue")
    entities: dict[str, Entity] = {}
    for name, node in root.entries.items():
        if name in _HEADER:
            continue
        body = mapping_of(node, complaints, what="section of the catalogue")
        if body is not None:
            entities[name] = _entity(name, body, complaints)
    shared = {root: entities.pop(root) for root in SHARED_ROOTS if root in entities}
    return Catalogue(entities, shared)


def _entity(name: str, body: MapNode, complaints: Complaints) -> Entity:
    fields: dict[str, Field] = {}
    aliases: dict[str, str] = {}
    effects = RECORDS
    for key, node in body.entries.items():
        if key == "effects" and isinstance(node, ListNode):
            effects = _effects(node, complaints)
            continue
        entry = mapping_of(node, complaints, what="field")
        if entry is None:
            continue
        if "alias" in entry.entries:
            aliases[key] = _alias(key, entry, body, complaints)
        else:
            fields[key] = _field(key, entry, complaints)
    return make_entity(name, fields, aliases, effects=effects)


def _effects(node: ListNode, complaints: Complaints) -> EffectSet:
    words = node.value()
    for known in EFFECT_SETS:
        if words == list(known.effects):
            return known
    allowed = " or ".join(f"[{', '.join(known.effects)}]" for known in EFFECT_SETS)
    complaints.add(node, "value-unknown", f"`effects` must be {allowed}, the strongest first.")
    return RECORDS


def _alias(key: str, entry: MapNode, body: MapNode, complaints: Complaints) -> str:
    keys = Keys(entry, complaints, what="field")
    target = keys.text("alias", required=True)
    keys.text("doc")
    keys.done()
    if target not in body.entries:
        complaints.add(
            entry.entries["alias"],
            "field-unknown",
            f"`{key}` stands for `{target}`, which this section does not have.",
            hint=closest(target, body.entries),
        )
    return target


def _field(key: str, entry: MapNode, complaints: Complaints) -> Field:
    keys = Keys(entry, complaints, what="field")
    keys.need("type")
    kind = Kind(keys.choice("type", [kind.value for kind in Kind], default=Kind.STRING.value))
    labels: dict[str, int | str] = {}
    values = keys.mapping("values", required=kind is Kind.CHOICE)
    if values is not None:
        labels = _labels(values, complaints)
        if kind is not Kind.CHOICE:
            complaints.add(values, "type-wrong", f"Only a choice has `values`; `{key}` has not.")
    field = Field(
        name=key,
        kind=kind,
        caseless=keys.flag("caseless"),
        personal=keys.flag("personal"),
        doc=keys.text("doc"),
        labels=labels or NO_LABELS,
        fact=keys.flag("fact"),
    )
    keys.done()
    return field


def _labels(values: MapNode, complaints: Complaints) -> dict[str, int | str]:
    labels: dict[str, int | str] = {}
    for label, node in values.entries.items():
        stored: Any = node.content if isinstance(node, ScalarNode) else None
        if isinstance(stored, bool) or not isinstance(stored, int | str):
            complaints.add(node, "type-wrong", f"The label `{label}` must stand for a number.")
        else:
            labels[label] = stored
    if len({type(stored) for stored in labels.values()}) > 1:
        complaints.add(
            values, "type-wrong", "A choice is stored as numbers or as texts, not as both."
        )
    return labels
