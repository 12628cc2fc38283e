from __future__ import annotations

import contextlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guard.errors import DeliveryUnreadable
from guard.receive import change_from, read_delivery
from guard.receive.ancestors import ancestors_of
from tests.guard.builders import (
    MAILBOX_BEFORE,
    MAILBOX_ID,
    QUEUE_ID,
    USER_ID,
    XRM,
    body,
    choice,
    context,
    entity,
    pairs,
    reference,
)


def test_a_plain_update_becomes_a_change() -> None:
    delivery = read_delivery(
        body({"emailaddress": "ceo@contoso.com", "emailrouteraccessapproval": choice(1)})
    )
    change = change_from(delivery)
    assert (change.table, change.operation, change.record_id) == ("mailbox", "update", MAILBOX_ID)
    assert change.before["emailaddress"] == "anna@contoso.com"
    assert change.after["emailaddress"] == "ceo@contoso.com"
    assert change.before["emailrouteraccessapproval"] == 2
    assert change.after["emailrouteraccessapproval"] == 1
    assert change.after["ownerid.id"] == USER_ID
    assert change.after["regardingobjectid.type"] == "systemuser"
    assert change.sent == {"emailaddress", "emailrouteraccessapproval"}
    assert change.request["stage"] == 20


def test_escaped_slashes_and_a_byte_order_mark_change_nothing() -> None:
    text = json.dumps(context({"emailrouteraccessapproval": choice(3)})).replace("/", "\\/")
    delivery = read_delivery(b"\xef\xbb\xbf" + text.encode())
    assert delivery.target == {"emailrouteraccessapproval": 3}


def test_wrapped_guids_and_dates_are_unwrapped() -> None:
    wrapped = {"__type": "Guid:#System", "__value": MAILBOX_ID.upper()}
    when = {"__type": "DateTime:#System", "__value": "/Date(1506384247000)/"}
    delivery = read_delivery(
        json.dumps(
            context(
                {"mailboxid": wrapped, "modifiedon": when, "emailaddress": "a@contoso.com"},
                PrimaryEntityId=wrapped,
            )
        ).encode()
    )
    assert delivery.record_id == MAILBOX_ID
    assert delivery.target["mailboxid"] == MAILBOX_ID
    assert delivery.target["modifiedon"] == datetime(2017, 9, 26, 0, 4, 7, tzinfo=UTC)


def test_column_dates_ignore_the_offset_and_may_lie_before_1970() -> None:
    delivery = read_delivery(
        body({"modifiedon": "/Date(1506384247000+0200)/", "createdon": "/Date(-1000)/"})
    )
    assert delivery.target["modifiedon"] == datetime(2017, 9, 26, 0, 4, 7, tzinfo=UTC)
    assert delivery.target["createdon"] == datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("written", "true"),
    [
        ("/Date(1506409448000-0700)/", 1506384248),
        ("/Date(1724647396000+0300)/", 1724658196),
        ("/Date(1737024736000+0200)/", 1737031936),
    ],
)
def test_the_creation_date_of_an_asynchronous_delivery_is_skewed_by_its_offset(
    written: str, true: int
) -> None:
    delivery = read_delivery(body({}, mode=1, OperationCreatedOn=written))
    assert delivery.created_at == datetime.fromtimestamp(true, UTC)


def test_every_other_encoding_has_its_plain_value() -> None:
    delivery = read_delivery(
        body(
            {
                "several": [choice(1), choice(5)],
                "money": {"__type": f"Money:{XRM}", "Value": 100},
                "amount": 10.12,
                "empty": None,
                "emailserverprofile": reference("emailserverprofile", QUEUE_ID.upper()),
                "to": {
                    "__type": f"EntityCollection:{XRM}",
                    "Entities": [entity("activityparty", USER_ID, {}, typed=False)],
                    "EntityName": "activityparty",
                },
            }
        )
    )
    assert delivery.target["several"] == (1, 5)
    assert delivery.target["money"] == 100
    assert delivery.target["amount"] == 10.12
    assert delivery.target["empty"] is None
    assert delivery.target["emailserverprofile.id"] == QUEUE_ID
    assert delivery.target["to"] == (USER_ID,)


def test_a_lookup_set_to_null_is_empty_afterwards() -> None:
    profile = {"emailserverprofile": reference("emailserverprofile", QUEUE_ID)}
    delivery = read_delivery(
        body({"emailserverprofile": None}, before=MAILBOX_BEFORE | profile, alias="MyImage")
    )
    change = change_from(delivery)
    assert change.before["emailserverprofile.id"] == QUEUE_ID
    assert change.after["emailserverprofile.id"] is None
    assert "emailserverprofile" in change.sent


def test_the_image_that_nobody_registered_is_ignored() -> None:
    delivery = read_delivery(body({}, before={"name": "x"}, alias="AsynchronousStepPrimaryName"))
    assert delivery.before is None


def test_unknown_properties_are_ignored_and_absent_ones_accepted() -> None:
    least = {
        "MessageName": "Update",
        "PrimaryEntityName": "mailbox",
        "PrimaryEntityId": MAILBOX_ID,
        "InputParameters": pairs(
            {"Target": entity("mailbox", MAILBOX_ID, {"emailaddress": "a@contoso.com"})}
        ),
        "Brand": {"new": ["property"]},
    }
    delivery = read_delivery(json.dumps(least).encode())
    assert delivery.is_synchronous
    assert delivery.stage == 20
    assert delivery.before is None
    assert delivery.key is None
    change = change_from(delivery, good={"emailaddress": "b@contoso.com", "statecode": 0})
    assert change.before == {"emailaddress": "b@contoso.com", "statecode": 0}


def test_the_mirror_says_whose_row_it_is_when_the_pre_image_does_not() -> None:
    delivery = read_delivery(
        body({"emailaddress": "x@contoso.com"}, before={"statecode": choice(0)})
    )
    change = change_from(
        delivery, seen={"ownerid.id": USER_ID, "emailaddress": "stale@contoso.com"}
    )
    assert change.before == {"statecode": 0, "ownerid.id": USER_ID}


@pytest.mark.parametrize("header", [True, False])
def test_a_stripped_delivery_says_so(header: bool) -> None:
    stripped = context({})
    if not header:
        for name in ("InputParameters", "PreEntityImages", "PostEntityImages", "ParentContext"):
            del stripped[name]
    delivery = read_delivery(json.dumps(stripped).encode(), size_exceeded=header)
    assert delivery.stripped
    assert delivery.record_id == MAILBOX_ID
    with pytest.raises(DeliveryUnreadable, match="256 KB"):
        change_from(delivery)


@pytest.mark.parametrize("table", ["mailbox", "systemuser", "queue"])
def test_a_create_takes_its_id_from_the_target_when_the_context_has_zeros(table: str) -> None:
    zeros = "00000000-0000-0000-0000-000000000000"
    delivery = read_delivery(
        body(
            {f"{table}id": QUEUE_ID, "emailrouteraccessapproval": choice(0)},
            table=table,
            record_id=zeros,
            message="Create",
        )
    )
    change = change_from(delivery)
    assert (change.operation, change.record_id, change.before) == ("create", QUEUE_ID, {})


@pytest.mark.parametrize(
    "columns",
    [
        {"emailaddress": {"__type": "Evil", "x": 1}},
        {"emailaddress": 5},
        {"emailrouteraccessapproval": "1"},
        {"emailrouteraccessapproval": True},
        {"ownerid": "me"},
        {"statecode": {"Value": {"Value": {"Value": {"Value": {"Value": 1}}}}}},
        {"isforwardmailbox": 1},
    ],
)
def test_a_guarded_column_that_cannot_be_read_makes_the_delivery_undecidable(
    columns: dict[str, object],
) -> None:
    delivery = read_delivery(body(columns))
    assert delivery.problem is not None
    with pytest.raises(DeliveryUnreadable):
        change_from(delivery)


def test_an_unguarded_column_that_cannot_be_read_is_left_out() -> None:
    delivery = read_delivery(body({"other": {"__type": "x"}, "when": "/Date(99999999999999999)/"}))
    assert delivery.problem is None
    assert delivery.target == {}


def test_of_the_row_before_only_what_is_asked_about_or_sent_is_read() -> None:
    before = {"emailaddress": "a@contoso.com", "city": "Bonn", "name": "A", "notes": "x" * 50}
    delivery = read_delivery(
        body({"name": "A", "street": "1"}, before=before), asked=lambda table: frozenset({"city"})
    )
    # Presence is not change: what is sent again, and asked about by nobody, is still compared.
    assert delivery.before == {"emailaddress": "a@contoso.com", "city": "Bonn", "name": "A"}
    assert delivery.target == {"name": "A", "street": "1"}
    assert change_from(delivery).differing == {"street"}


def test_a_column_named_twice_makes_the_delivery_undecidable() -> None:
    posted = context({"emailaddress": "a@contoso.com"})
    attributes = posted["InputParameters"][0]["value"]["Attributes"]
    attributes.append({"key": "EmailAddress", "value": "ceo@contoso.com"})
    assert read_delivery(json.dumps(posted).encode()).problem is not None


@pytest.mark.parametrize(
    "bytes_",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'"x"',
        b"\xff\xfe{\x00}\x00",
        b'{"MessageName": "Update"}',
        b'{"MessageName": "Update", "PrimaryEntityName": "mail box"}',
        b'{"MessageName": 1, "PrimaryEntityName": "mailbox"}',
        b'{"MessageName": "Update", "PrimaryEntityName": "mailbox", "InputParameters": "x"}',
        b'{"MessageName": "Update", "PrimaryEntityName": "mailbox", "InputParameters": '
        + b"[" * 200_000,
        b'{"Deep": ' + b'{"a":' * 200_000 + b"1" + b"}" * 200_001,
        b'{"MessageName": "\\ud800", "PrimaryEntityName": "mailbox"}',
    ],
)
def test_what_is_no_context_is_unreadable(bytes_: bytes) -> None:
    with pytest.raises(DeliveryUnreadable):
        read_delivery(bytes_)


def test_a_table_that_is_not_guarded_is_read_no_further() -> None:
    delivery = read_delivery(body({"name": {"__type": "Evil"}}, table="account"))
    assert delivery.operation == "update"
    assert delivery.problem is None
    assert delivery.target == {}


def test_names_in_another_case_are_no_way_around_the_guard() -> None:
    spelt = body({"emailaddress": "ceo@contoso.com"})
    other = spelt.replace(b'"mailbox"', b'"MailBox"').replace(b'"Update"', b'"UPDATE"')
    assert other != spelt
    delivery = read_delivery(other)
    assert delivery.is_guarded
    assert delivery.target == {"emailaddress": "ceo@contoso.com"}


class TestKey:
    def test_identical_deliveries_have_one_key_whatever_their_correlation(self) -> None:
        first, second = (
            read_delivery(body({"emailaddress": "a@contoso.com"}, operation_id=USER_ID))
            for _ in range(2)
        )
        assert first.correlation_id != second.correlation_id
        assert first.key == second.key is not None

    @pytest.mark.parametrize(
        "changed",
        [
            {"stage": 40},
            {"mode": 1, "stage": 20},
            {"table": "queue", "before": MAILBOX_BEFORE},
            {"message": "Create"},
            {"operation_id": QUEUE_ID},
            {"record_id": QUEUE_ID},
            {"target": {"emailaddress": "b@contoso.com"}},
            {"before": MAILBOX_BEFORE | {"statecode": choice(1)}},
            {"OrganizationId": QUEUE_ID},
            {"OwningExtension": None},
        ],
    )
    def test_any_difference_that_counts_makes_another_key(self, changed: dict[str, object]) -> None:
        named: dict[str, object] = {
            "target": {"emailaddress": "a@contoso.com"},
            "operation_id": USER_ID,
        }
        first = read_delivery(body(**named))
        second = read_delivery(body(**(named | changed)))
        assert first.key != second.key

    def test_without_an_operation_id_nothing_is_known_to_be_identical(self) -> None:
        assert read_delivery(body({}, OperationId=None)).key is None


def test_ancestors_hold_what_the_callers_sent() -> None:
    parent = context(
        {"domainname": "anna@contoso.com"},
        table="systemuser",
        record_id=USER_ID,
        message="Create",
        stage=30,
        tag="nonce",
    )
    delivery = read_delivery(body({}, message="Create", parent=parent))
    (ancestor,) = ancestors_of(delivery)
    assert ancestor.table == "systemuser"
    assert ancestor.record_id == USER_ID
    assert ancestor.target == {"domainname": "anna@contoso.com"}
    assert ancestor.tag == "nonce"


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["__type", "__value", "Value", "Id", "LogicalName", "Entities", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


# The first draw loads Hypothesis' tables; on a loaded machine that alone is slow.
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    columns=st.dictionaries(
        st.sampled_from(["emailaddress", "emailrouteraccessapproval", "ownerid", "name", "to"]),
        _json,
        max_size=4,
    ),
    overridden=st.dictionaries(
        st.sampled_from(
            ["Mode", "Stage", "InputParameters", "PreEntityImages", "ParentContext", "OperationId"]
        ),
        _json,
        max_size=2,
    ),
)
def test_hostile_values_are_unreadable_or_undecidable_but_never_an_error(
    columns: dict[str, object], overridden: dict[str, object]
) -> None:
    posted = json.dumps(context(columns) | overridden).encode()
    try:
        delivery = read_delivery(posted)
        ancestors_of(delivery)
        change_from(delivery)
    except DeliveryUnreadable:
        pass


@given(st.binary(max_size=200))
def test_any_bytes_are_readable_or_unreadable(data: bytes) -> None:
    with contextlib.suppress(DeliveryUnreadable):
        read_delivery(data)


def test_two_targets_cannot_be_decided() -> None:
    posted = json.loads(body({"emailaddress": "anna@contoso.com"}))
    second = json.loads(body({"emailaddress": "ceo@contoso.com"}))
    posted["InputParameters"] += second["InputParameters"]
    delivery = read_delivery(json.dumps(posted).encode())
    assert delivery.problem == "InputParameters names Target twice"
    assert delivery.record_id is not None


@pytest.mark.parametrize("name", ["tag", "\\u0074ag"])
def test_a_tag_among_the_shared_variables_is_found_however_its_name_is_written(name: str) -> None:
    written = body({}, tag="nonce")
    delivery = read_delivery(written.replace(b'"tag"', f'"{name}"'.encode()))
    assert delivery.tag == "nonce"


def test_shared_variables_without_a_tag_have_none() -> None:
    assert read_delivery(body({})).tag is None


ZEROS = "00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize("name", ["InitiatingUserId", "OrganizationId", "PrimaryEntityId"])
@pytest.mark.parametrize(
    "value",
    [None, "", "nobody", 7, True, [], {}, {"__value": None}, {"__value": "nobody"}, ZEROS + "0"],
    ids=repr,
)
@pytest.mark.parametrize("mode", [0, 1])
def test_an_identity_that_names_nobody_is_unreadable(name: str, value: Any, mode: int) -> None:
    with pytest.raises(DeliveryUnreadable):
        read_delivery(body(mode=mode, **{name: value}))


@pytest.mark.parametrize("name", ["InitiatingUserId", "OrganizationId"])
def test_zeros_are_nobody(name: str) -> None:
    with pytest.raises(DeliveryUnreadable, match=f"{name} is no GUID"):
        read_delivery(body(**{name: ZEROS}))


def test_a_table_that_is_not_guarded_is_not_read_so_far() -> None:
    assert read_delivery(body(table="account", InitiatingUserId=None)).table == "account"


@pytest.mark.parametrize("column", ["modifiedonbehalfby", "createdonbehalfby"])
@pytest.mark.parametrize("message", ["Create", "Update"])
def test_who_acts_in_the_name_of_another_is_read_from_the_stamps(column: str, message: str) -> None:
    told = read_delivery(body({column: reference("systemuser", QUEUE_ID.upper())}, message=message))
    assert (told.on_behalf_by, told.initiating_user_id) == (QUEUE_ID, USER_ID)
    own = read_delivery(body({column: reference("systemuser", USER_ID)}, message=message))
    nobody = read_delivery(body({column: None}, message=message))
    assert own.on_behalf_by is nobody.on_behalf_by is None


@pytest.mark.parametrize("value", [QUEUE_ID, 3, True, {"Value": 1}, {"__type": "Guid:#System"}])
def test_a_stamp_of_another_form_cannot_be_decided(value: object) -> None:
    told = read_delivery(body({"modifiedonbehalfby": value}))
    assert told.problem is not None
    with pytest.raises(DeliveryUnreadable):
        change_from(told)
