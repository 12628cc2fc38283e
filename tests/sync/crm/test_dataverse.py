"""The Dataverse adapter: what an answer that lacks something means."""

from __future__ import annotations

from uuid import UUID

import pytest

from cloud.errors import NotThere, Refused
from sync.crm.dataverse import DataverseCrm
from sync.engine.meter import Meter
from tests.cloud.scripted import ROW, Scripted, ok, problem

PROFILES = [f"AAAAAAAA-0000-4000-8000-00000000000{number}" for number in range(3)]


def crm_of(service: Scripted) -> tuple[DataverseCrm, Meter]:
    meter = Meter()
    return DataverseCrm(service.dataverse, meter), meter


async def test_a_profile_whose_state_did_not_come_counts_as_active() -> None:
    rows = [
        {"emailserverprofileid": PROFILES[0], "statecode": 0},
        {"emailserverprofileid": PROFILES[1], "statecode": 1},
        {"emailserverprofileid": PROFILES[2]},
    ]
    crm, meter = crm_of(Scripted(ok({"value": rows})))
    assert await crm.active_profiles() == {PROFILES[0].lower(), PROFILES[2].lower()}
    assert meter.reading()["dataverse_requests"] == 1


async def test_a_reading_that_is_refused_was_a_request_too() -> None:
    crm, meter = crm_of(Scripted(problem(403, "0x80040220")))
    with pytest.raises(Refused):
        await crm.active_profiles()
    assert meter.reading()["dataverse_requests"] == 1


async def test_a_mailbox_whose_columns_did_not_come_knows_nothing_of_them() -> None:
    crm, _ = crm_of(Scripted(ok({"value": [{"mailboxid": ROW.upper(), "statecode": True}]})))
    [row] = await crm.mailboxes()
    assert row.record_id == ROW
    assert (row.address, row.approval, row.state, row.profile_id) == (None, None, None, None)


async def test_an_email_row_is_there_or_not_and_a_missing_table_is_neither() -> None:
    found = {"activityid": ROW, "statecode": 1, "sender": "", "actualstart": "2026-11-20T09:00:00Z"}
    gone = problem(404, "0x80040217")
    crm, _ = crm_of(Scripted(ok(found), gone, problem(404, "0x80060888")))
    row = await crm.email(UUID(ROW))
    assert row is not None
    assert (row.is_open, row.sender, row.sent_at) == (False, None, "2026-11-20T09:00:00Z")
    assert await crm.email(UUID(ROW)) is None
    with pytest.raises(NotThere):
        await crm.email(UUID(ROW))
