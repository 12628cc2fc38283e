"""The catalogue file (`fields.yaml`) becomes a Catalogue."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from rules.load.keys import Complaints, Keys, mapping_of, read_head
from rules.model.catalogue import (
    FORMS,
    NO_LABELS,
    OF_ENTITY,
    SHARED_ROOTS,
    Arrival,
    Catalogue,
    Entity,
    Field,
    Form,
    Kind,
    is_looked_up,
    make_entity,
)
from rules.model.effects import EFFECT_SETS, RECORDS, EffectSet
from rules.syntax.complaint import closest
from rules.syntax.nodes import ListNode, MapNode, ScalarNode

_HEADER: Final = ("apiVersion", "kind")
# Once for all fields: there are hundreds of them.
_KINDS: Final = tuple(kind.value for kind in Kind)
_ARRIVALS: Final = tuple(one.value for one in Arrival)
_FORMS: Final = tuple(one.value for one in FORMS)


def read_catalogue(
    root: MapNode, complaints: Complaints, shipped: Catalogue | None = None
) -> Catalogue:
    """Return the catalogue; every mistake in it becomes a complaint.

    What is looked up, and what a delivery carries, does not depend on who describes it: a folder's
    own catalogue goes by the `shipped` one, without which the catalogue read is that one itself.
    """
    read_head(Keys(root, complaints, what="catalogue"), "Catalogue")
    entities: dict[str, Entity] = {}
    for name, node in root.entries.items():
        if name in _HEADER:
            continue
        body = mapping_of(node, complaints, what="section of the catalogue")
        if body is not None:
            entities[name] = _entity(name, body, complaints, shipped)
    shared = {root: entities.pop(root) for root in SHARED_ROOTS if root in entities}
    return Catalogue(entities, shared)


def _entity(name: str, body: MapNode, complaints: Complaints, shipped: Catalogue | None) -> Entity:
    fields: dict[str, Field] = {}
    aliases: dict[str, str] = {}
    effects = RECORDS
    arrives = _of_entity(name, body, complaints, shipped)
    for key, node in body.entries.items():
        if key == "effects" and isinstance(node, ListNode):
            effects = _effects(node, complaints)
            continue
        if key == "arrives" and isinstance(node, ScalarNode):
            continue
        entry = mapping_of(node, complaints, what="field")
        if entry is None:
            continue
        if "alias" in entry.entries:
            aliases[key] = _alias(key, entry, body, complaints)
        else:
            field = _field(key, entry, complaints)
            said = "arrives" in entry.entries
            settled = _settled(name, field, said, arrives, shipped)
            known = _known(name, key, shipped)
            form = field.form or (known.form if known is not None else None)
            if (settled, form) != (field.arrives, field.form):
                field = replace(field, arrives=settled, form=form)
            fields[key] = field
    own_kind = shipped.entities.get(name) if shipped is not None else None
    if own_kind is not None and effects is not own_kind.effects:
        # Whoever judges an entity asks for its own effects: a message can't be rejected.
        wanted = ", ".join(own_kind.effects.effects)
        complaints.add(
            body.entries.get("effects", body),
            "value-unknown",
            f"Rules on `{name}` have the effects of its own kind: `effects: [{wanted}]`.",
        )
    return make_entity(name, fields, aliases, effects=effects, arrives=arrives)


def _of_entity(
    name: str, body: MapNode, complaints: Complaints, shipped: Catalogue | None
) -> Arrival:
    """Return how the entity arrives whose section this is."""
    node = body.entries.get("arrives")
    if isinstance(node, ScalarNode):
        if node.content in OF_ENTITY:
            return Arrival(str(node.content))
        allowed = " or ".join(OF_ENTITY)
        complaints.add(node, "value-unknown", f"`arrives` of an entity must be {allowed}.")
    if shipped is None or name in SHARED_ROOTS:
        return Arrival.DELIVERY
    known = shipped.entities.get(name)
    return known.arrives if known is not None else Arrival.NEVER


def _settled(
    entity: str, field: Field, said: bool, around: Arrival, shipped: Catalogue | None
) -> Arrival:
    """Return how a field arrives, which its own catalogue may have `said`."""
    looked_up = is_looked_up(entity, field.name)
    if shipped is None:
        if said or not looked_up:
            return field.arrives if said else around
        return Arrival.FACT
    known = _known(entity, field.name, shipped)
    if looked_up or field.arrives is Arrival.FACT:
        # Nothing looks up what only this catalogue knows.
        return known.arrives if known is not None and known.fact else Arrival.NEVER
    if said:
        return field.arrives
    return known.arrives if known is not None else Arrival.NEVER


def _known(entity: str, name: str, shipped: Catalogue | None) -> Field | None:
    """Return what the shipped catalogue says of a field."""
    if shipped is None:
        return None
    section = shipped.entities.get(entity) or shipped.shared.get(entity)
    return section.fields.get(name) if section is not None else None


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
    kind = Kind(keys.choice("type", _KINDS, default=Kind.STRING.value))
    labels: dict[str, int | str] = {}
    values = keys.mapping("values", required=kind is Kind.CHOICE)
    if values is not None:
        labels = _labels(values, complaints)
        if kind is not Kind.CHOICE:
            complaints.add(values, "type-wrong", f"Only a choice has `values`; `{key}` has not.")
    form = keys.choice("form", _FORMS, default="")
    field = Field(
        name=key,
        kind=kind,
        # People and mail systems write a name in any case: whatever is to tell them apart says so.
        caseless=keys.flag("caseless", default=kind in (Kind.STRING, Kind.LIST)),
        personal=keys.flag("personal"),
        doc=keys.text("doc"),
        labels=labels or NO_LABELS,
        arrives=Arrival(keys.choice("arrives", _ARRIVALS, default=Arrival.DELIVERY.value)),
        form=Form(form) if form else None,
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
