"""Values in the serializer's encoding."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sandbox.dataverse.context import SIZE_LIMIT, date, encode, skewed_date, strip, to_bytes
from sandbox.dataverse.rows import Ref, Store

XRM = "http://schemas.microsoft.com/xrm/2011/Contracts"
VIEW = Store({})


def test_dates_are_milliseconds_also_before_1970() -> None:
    assert date(datetime(2017, 9, 26, 0, 4, 7, tzinfo=UTC)) == "/Date(1506384247000)/"
    assert date(datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)) == "/Date(-1000)/"


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(-420, "/Date(1506409447000-0700)/"), (120, "/Date(1506377047000+0200)/")],
)
def test_the_creation_time_of_an_asynchronous_step_is_off_by_its_offset(minutes, text) -> None:
    moment = datetime(2017, 9, 26, 0, 4, 7, tzinfo=UTC)
    written = skewed_date(moment, offset_minutes=minutes)
    assert written == text
    number = int(text[6:-7])
    true = datetime.fromtimestamp(number / 1000, UTC) + timedelta(minutes=minutes)
    assert true == moment


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("string", "x", "x"),
        ("bool", True, True),
        ("string", None, None),
        ("choice", 3, {"__type": f"OptionSetValue:{XRM}", "Value": 3}),
        (
            "lookup",
            Ref("nosuch", "1"),
            {
                "__type": f"EntityReference:{XRM}",
                "Id": "1",
                "KeyAttributes": [],
                "LogicalName": "nosuch",
                "Name": None,
                "RowVersion": None,
            },
        ),
    ],
)
def test_each_kind_has_its_encoding(kind, value, expected) -> None:
    assert encode(kind, value, VIEW) == expected


def test_slashes_are_escaped_and_text_is_utf_8() -> None:
    assert to_bytes({"a": "ü/"}) == '{"a":"ü\\/"}'.encode()


def test_what_is_stripped_is_what_is_large() -> None:
    context = {"InputParameters": "x" * SIZE_LIMIT, "PrimaryEntityName": "mailbox"}
    assert strip(context) == {"PrimaryEntityName": "mailbox"}
