"""The adapter of the email rows: a row that is gone is told from a table that is."""

from __future__ import annotations

from uuid import UUID

import pytest

from cloud.errors import NotThere
from sync.mail.emails.dataverse import DataverseEmailRows
from sync.meter import Meter
from tests.cloud.scripted import ROW, Scripted, ok, problem


async def test_an_email_row_is_there_or_not_and_a_missing_table_is_neither() -> None:
    found = {"activityid": ROW, "statecode": 1}
    gone = problem(404, "0x80040217")
    service = Scripted(ok(found), gone, problem(404, "0x80060888"))
    emails = DataverseEmailRows(service.dataverse, Meter())
    row = await emails.email(UUID(ROW))
    assert row is not None
    assert not row.is_open
    assert await emails.email(UUID(ROW)) is None
    with pytest.raises(NotThere):
        await emails.email(UUID(ROW))
