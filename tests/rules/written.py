"""Conditions for every operator on every field that it fits, as an author would write them.

Drawn from the table of operators, so that a new one is tried by every property at once. The
values are those that the fields of a small catalogue are likely to hold, and the operator's own
samples.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from rules.load.literals import objection_to
from rules.load.loader import catalogue_of
from rules.model.catalogue import Form, Kind
from rules.operators.operator import Operator
from rules.operators.table import OPERATORS


@dataclass(frozen=True)
class WrittenField:
    """A field under test: how it is written, its kind, and values that it is compared with."""

    path: str
    kind: Kind
    values: tuple[Any, ...]
    part: str | None = None
    case_sensitive: bool = False

    @property
    def has_old(self) -> bool:
        return not self.path.startswith(("actor.", "old.", "owner."))


def fits(operator: Operator, field: WrittenField) -> bool:
    """Tell whether a condition of this operator on this field loads."""
    compares = operator.takes != "flag" or operator.needs_old
    return (
        field.kind in operator.kinds
        and (field.has_old or not operator.needs_old)
        # Case and parts have no meaning where nothing is compared.
        and (compares or (field.part is None and not field.case_sensitive))
    )


def values_for(operator: Operator, field: WrittenField) -> st.SearchStrategy[Any]:
    """Return what may be written behind the operator."""
    match operator.takes:
        case "flag":
            return st.booleans()
        case "pattern" | "one":
            return st.sampled_from(known_values(operator, field))
        case "many":
            one = st.sampled_from(known_values(operator, field))
            return st.lists(one, min_size=1, max_size=3, unique=True)


def known_values(operator: Operator, field: WrittenField) -> list[Any]:
    """Return the samples of an operator, and what the field is likely to hold, as far as it can."""
    samples = operator.samples if field.kind is Kind.STRING else ()
    values = samples if operator.takes == "pattern" else (*samples, *field.values)
    return [value for value in values if not _is_refused(value, operator, field)]


def _is_refused(value: Any, operator: Operator, field: WrittenField) -> bool:
    form = {"domain": Form.DOMAIN, "local": Form.LOCAL}.get(field.part or "")
    if form is None:
        # A catalogue of few fields has their forms from the shipped one.
        known = catalogue_of(None).resolve("mailbox", field.path)
        form = known.field.form if known is not None else None
    if not isinstance(value, str) or field.part == "length":
        return False
    objection = objection_to(value, form=form, reach=operator.reach)
    return objection is not None and objection.level == "error"


def conditions(operator: Operator, field: WrittenField) -> st.SearchStrategy[dict[str, Any]]:
    """Return conditions of one operator on one field."""
    fixed: dict[str, Any] = {"field": field.path}
    if field.part is not None:
        fixed["part"] = field.part
    if field.case_sensitive:
        fixed["caseSensitive"] = True
    return values_for(operator, field).map(lambda value: {**fixed, operator.name: value})


def one_condition(operator: Operator, field: WrittenField) -> dict[str, Any]:
    """Return one condition of an operator on a field, the same one each time."""
    known = known_values(operator, field)
    value = {"flag": True, "many": known, "pattern": known[0], "one": known[0]}[operator.takes]
    return {"field": field.path, operator.name: value}


def pairs(*fields: WrittenField) -> Iterator[tuple[Operator, WrittenField]]:
    """Yield every operator with every field that it fits."""
    for operator in OPERATORS.values():
        for field in fields:
            if fits(operator, field):
                yield operator, field
