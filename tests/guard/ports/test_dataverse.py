from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from guard.columns.table import MAILBOX, TABLES, select_of
from guard.ports.dataverse import DataverseRows, odata_from, stored_row_from
from guard.ports.directory import GraphDirectory, person_from
from guard.ports.rows import AddressElsewhere, RowChanged, WriteRefused
from kernel.errors import Unavailable
from tests.cloud.scripted import Scripted, no_content, ok, problem
from tests.guard.builders import MAILBOX_ID, OBJECT_ID, QUEUE_ID, USER_ID

LOOKUP = "@Microsoft.Dynamics.CRM.lookuplogicalname"


def test_a_web_api_row_becomes_flat_columns() -> None:
    row = stored_row_from(
        MAILBOX,
        {
            "@odata.etag": 'W/"5"',
            "mailboxid": MAILBOX_ID.upper(),
            "emailaddress": "anna@contoso.com",
            "emailrouteraccessapproval": 1,
            "_regardingobjectid_value": USER_ID.upper(),
            f"_regardingobjectid_value{LOOKUP}": "systemuser",
            "_emailserverprofile_value": None,
            "modifiedon": "2026-11-23T12:00:00Z",
            "surprise": {"new": 1},
        },
    )
    assert (row.record_id, row.etag) == (MAILBOX_ID, 'W/"5"')
    assert row.columns["regardingobjectid.id"] == USER_ID
    assert row.columns["regardingobjectid.type"] == "systemuser"
    assert row.columns["emailserverprofile.id"] is None
    assert row.columns["username"] is None
    assert row.modified_at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert set(MAILBOX.flat) <= set(row.columns)


@pytest.mark.parametrize("table", list(TABLES))
def test_what_is_selected_are_the_key_and_the_columns_that_images_carry(table: str) -> None:
    selected = select_of(TABLES[table])
    assert len(selected) == 1 + len(TABLES[table].columns) + len(TABLES[table].context)
    assert selected[0] == TABLES[table].key
    assert ("_ownerid_value" in selected) is ("ownerid" in TABLES[table].columns)
    assert "ownerid" not in selected


def test_lookups_are_bound_and_other_columns_written_plainly() -> None:
    written = odata_from(
        {
            "emailaddress": None,
            "emailrouteraccessapproval": 3,
            "ownerid.id": QUEUE_ID,
            "ownerid.type": "team",
            "emailserverprofile.id": None,
            "emailserverprofile.type": None,
        }
    )
    assert written == {
        "emailaddress": None,
        "emailrouteraccessapproval": 3,
        "ownerid@odata.bind": f"/teams({QUEUE_ID})",
        "emailserverprofile@odata.bind": None,
    }


async def test_a_write_carries_etag_tag_and_values() -> None:
    service = Scripted(no_content())
    await DataverseRows(service.dataverse).update(
        "mailbox", MAILBOX_ID, {"emailrouteraccessapproval": 3}, etag='W/"5"', tag="nonce"
    )
    request = service.request
    assert request.method == "PATCH"
    assert request.headers["if-match"] == 'W/"5"'
    assert request.url.params["tag"] == "nonce"
    assert json.loads(request.content) == {"emailrouteraccessapproval": 3}


async def test_rows_are_listed_whole_or_by_their_last_writer() -> None:
    service = Scripted(ok({"value": [{"mailboxid": MAILBOX_ID}]}))
    rows = DataverseRows(service.dataverse)
    for written_by in (None, USER_ID):
        pages = [page async for page in rows.pages("mailbox", written_by=written_by)]
        assert [row.record_id for page in pages for row in page] == [MAILBOX_ID]
    filters = [one.url.params.get("$filter") for one in service.requests]
    assert filters == [None, f"_modifiedby_value eq {USER_ID}"]


@pytest.mark.parametrize(
    ("status", "code", "error"),
    [
        (412, "0x80060882", RowChanged),
        (404, "0x80040217", RowChanged),
        (403, "0x80040220", WriteRefused),
        (400, "0x8005E208", AddressElsewhere),
        (400, "0x80048d19", WriteRefused),
        (400, "0x80050201", Unavailable),
    ],
)
async def test_refusals_are_told_apart(status: int, code: str, error: type[Exception]) -> None:
    rows = DataverseRows(Scripted(problem(status, code)).dataverse)
    with pytest.raises(error) as raised:
        await rows.update("mailbox", MAILBOX_ID, {"username": "x"}, etag="*", tag="t")
    assert type(raised.value) is error


async def test_a_user_and_roles_are_read() -> None:
    user = await DataverseRows(
        Scripted(
            ok(
                {
                    "systemuserid": USER_ID,
                    "domainname": "anna@contoso.com",
                    "azureactivedirectoryobjectid": OBJECT_ID.upper(),
                    "applicationid": None,
                    "accessmode": 0,
                }
            )
        ).dataverse
    ).user(USER_ID)
    assert user is not None
    assert (user.upn, user.object_id, user.application_id) == ("anna@contoso.com", OBJECT_ID, None)
    template = {
        "roleid": "R1",
        "name": "n",
        "_roletemplateid_value": "T",
        "_roletemplateid_value@OData.Community.Display.V1.FormattedValue": "Template",
        "other": 1,
    }
    (role,) = await DataverseRows(Scripted(ok({"value": [template]})).dataverse).roles_of(USER_ID)
    assert (role.role_id, role.template_id, role.root_id) == ("r1", "t", None)
    assert role.template_name == "Template"


async def test_the_index_is_believed_only_about_addresses_that_the_object_holds() -> None:
    holder = {
        "id": OBJECT_ID,
        "userPrincipalName": "x@contoso.com",
        "proxyAddresses": ["smtp:A@b.c"],
    }
    other = {"id": QUEUE_ID, "userPrincipalName": "y@contoso.com", "otherMails": ["a@b.c"]}
    directory = GraphDirectory(Scripted(ok({"value": [holder, other]})).graph)
    assert [person.object_id for person in await directory.holders_of("a@B.c")] == [OBJECT_ID]


def test_a_person_holds_upn_mail_and_smtp_addresses_alone() -> None:
    person = person_from(
        {
            "id": OBJECT_ID,
            "userPrincipalName": "Anna@contoso.com",
            "mail": "a@contoso.com",
            "proxyAddresses": ["SMTP:main@contoso.com", "x500:/o=x", "SIP:sip@contoso.com", 5],
            "otherMails": ["private@example.com"],
        }
    )
    for address in ("anna@CONTOSO.com", "a@contoso.com", "main@contoso.com"):
        assert person.holds(address)
    for address in ("sip@contoso.com", "private@example.com", ""):
        assert not person.holds(address)
