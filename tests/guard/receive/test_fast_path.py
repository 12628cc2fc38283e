"""The quick reading of an entity never differs from the general one; it may only decline."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.columns.table import TABLES
from guard.receive.context import decode_entity
from guard.receive.delivery import columns_of
from guard.receive.fast_path import fast_columns, fast_entity
from guard.receive.values import ValueNotReadable
from tests.benchmarks.deliveries import distinct
from tests.guard.builders import QUEUE_ID, XRM, choice, reference

_NAMES = st.sampled_from(
    [name for table in TABLES.values() for name in table.columns]
    + ["name", "MailboxId", "modifiedon", "OwnerID", "ownerid.id", "createdby"]
    + ["modifiedonbehalfby", "CreatedOnBehalfBy"]
)
_TEXTS = st.sampled_from(
    [
        "",
        QUEUE_ID,
        QUEUE_ID.upper(),
        "{" + QUEUE_ID + "}",
        "/Date(1506384247000+0200)/",
        "/Date(9",
        "/Date(99999999999999999)/",
        "anna@contoso.com",
        "\ud800",
        "{" + "x" * 34 + "}",
    ]
)
_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _TEXTS
_KINDS = st.sampled_from(
    [f"OptionSetValue:{XRM}", f"EntityReference:{XRM}", "Guid:#System", "Money:x", None, 3]
)
_TYPED = st.fixed_dictionaries(
    {},
    optional={
        "__type": _KINDS,
        "Value": _SCALARS,
        "Id": _SCALARS,
        "LogicalName": _SCALARS,
        "__value": _SCALARS,
        "Entities": st.none() | st.just([]),
        "Name": _SCALARS,
    },
)
_VALUES = (
    _SCALARS
    | _TYPED
    | st.integers().map(choice)
    | _TEXTS.map(lambda text: reference("systemuser", text))
    | st.lists(_SCALARS, max_size=2)
)


@given(
    table=st.sampled_from(sorted(TABLES)),
    attributes=st.lists(st.tuples(_NAMES, _VALUES), max_size=6),
    asked=st.none() | st.frozensets(_NAMES.map(str.lower), max_size=3),
)
def test_what_is_read_quickly_is_read_alike(
    table: str, attributes: list[tuple[str, Any]], asked: frozenset[str] | None
) -> None:
    entity = {"Attributes": [{"key": name, "value": value} for name, value in attributes]}
    raw = msgspec.Raw(json.dumps(entity).encode())
    quick = fast_entity(raw)
    columns = None if quick is None else fast_columns(quick, TABLES[table], asked=asked)
    if columns is None:
        return
    general = decode_entity(raw)
    assert general is not None
    expected = columns_of(general, TABLES[table], asked=asked)
    assert columns == expected
    assert [type(value) for value in columns.values()] == [type(expected[name]) for name in columns]


def test_of_what_nobody_asks_about_only_the_names_are_looked_at() -> None:
    table = TABLES["mailbox"]
    sent = {"emailaddress": "a@contoso.com", "ownedby": None, "city": "Bonn"}
    attributes = [{"key": name, "value": value} for name, value in sent.items()]
    raw = msgspec.Raw(json.dumps({"Attributes": attributes}).encode())
    quick = fast_entity(raw)
    assert quick is not None
    wanted = {"emailaddress": "a@contoso.com", "city": "Bonn"}
    assert fast_columns(quick, table, asked={"city"}) == wanted
    general = decode_entity(raw)
    assert general is not None
    assert columns_of(general, table, asked={"city"}) == wanted


@given(st.sampled_from(["{", "[]", "3", '{"Attributes":{}}', '{"Attributes":[{"key":1}]}']))
def test_what_is_no_entity_is_left_to_the_general_way(text: str) -> None:
    assert fast_entity(msgspec.Raw(text.encode())) is None


def test_a_usual_delivery_is_read_quickly() -> None:
    target = next(
        pair["value"]
        for pair in json.loads(next(distinct(1, 1)))["InputParameters"]
        if pair["key"] == "Target"
    )
    quick = fast_entity(msgspec.Raw(json.dumps(target).encode()))
    assert quick is not None
    assert fast_columns(quick, TABLES["mailbox"]) is not None


@pytest.mark.parametrize(
    "values",
    [("a", "b"), (None, reference("systemuser", QUEUE_ID)), (reference("queue", QUEUE_ID), None)],
)
def test_a_column_named_twice_is_left_to_the_general_way(values: tuple[Any, Any]) -> None:
    names = ("Emailaddress", "emailaddress")
    twice = [{"key": name, "value": value} for name, value in zip(names, values, strict=True)]
    for table in ("mailbox", "systemuser"):
        raw = msgspec.Raw(json.dumps({"Attributes": twice}).encode())
        quick = fast_entity(raw)
        assert quick is not None
        assert fast_columns(quick, TABLES[table]) is None
        general = decode_entity(raw)
        assert general is not None
        with pytest.raises(ValueNotReadable):
            columns_of(general, TABLES[table])
