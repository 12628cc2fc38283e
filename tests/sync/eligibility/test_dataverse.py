"""The adapter of the mailbox rows: what an answer that lacks something means."""

from __future__ import annotations

import pytest

from cloud.errors import Refused
from sync.eligibility.dataverse import DataverseMailboxRows
from sync.meter import Meter
from tests.cloud.scripted import ROW, Scripted, ok, problem

PROFILES = [f"AAAAAAAA-0000-4000-8000-00000000000{number}" for number in range(3)]


def rows_of(service: Scripted) -> tuple[DataverseMailboxRows, Meter]:
    meter = Meter()
    return DataverseMailboxRows(service.dataverse, meter), meter


async def test_a_profile_whose_state_did_not_come_counts_as_active() -> None:
    rows = [
        {"emailserverprofileid": PROFILES[0], "statecode": 0},
        {"emailserverprofileid": PROFILES[1], "statecode": 1},
        {"emailserverprofileid": PROFILES[2]},
    ]
    mailbox_rows, meter = rows_of(Scripted(ok({"value": rows})))
    assert await mailbox_rows.active_profiles() == {PROFILES[0].lower(), PROFILES[2].lower()}
    assert meter.reading()["dataverse_requests"] == 1


async def test_a_reading_that_is_refused_was_a_request_too() -> None:
    mailbox_rows, meter = rows_of(Scripted(problem(403, "0x80040220")))
    with pytest.raises(Refused):
        await mailbox_rows.active_profiles()
    assert meter.reading()["dataverse_requests"] == 1


async def test_a_mailbox_whose_columns_did_not_come_knows_nothing_of_them() -> None:
    mailbox_rows, _ = rows_of(
        Scripted(ok({"value": [{"mailboxid": ROW.upper(), "statecode": True}]}))
    )
    [row] = await mailbox_rows.mailboxes()
    assert row.record_id == ROW
    assert (row.address, row.approval, row.state, row.profile_id) == (None, None, None, None)
