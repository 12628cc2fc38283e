"""Mail that was once lost somewhere, or stopped a mailbox, arrives; after public bug reports."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from sync.run.once import once
from sync.run.report import PassReport
from tests.sync import reported
from tests.sync.reported import BOXES
from tests.sync.tenants import Tenant, open_tenant

pytestmark = pytest.mark.slow
SECONDS = 60


@pytest.fixture
async def tenant(tmp_path: Path) -> AsyncIterator[Tenant]:
    async with open_tenant(tmp_path) as opened:
        reported.empty(opened.sandbox)
        for box in BOXES:
            opened.approve(box)
        yield opened


async def play(tenant: Tenant, name: str) -> PassReport:
    """Play a report, and return what the last pass tells."""
    report = reported.read(name)
    before = report.get("before_sync", 0)
    for told in report["messages"][:before]:
        reported.deliver(tenant.sandbox, told)
    if before:
        await once(tenant.sync)
    for told in report["messages"][before:]:
        reported.deliver(tenant.sandbox, told)
    reported.plan_answers(tenant.sandbox, report)
    tenant.sandbox.stream_faults(BOXES[0].alias).repeat_link = "fault" in report
    return await once(tenant.sync)


def complete(tenant: Tenant) -> list[str]:
    return sorted(row["subject"] for row in tenant.emails() if row["statuscode"] == 4)


def attached(tenant: Tenant) -> list[str]:
    return sorted(row["filename"] for row in tenant.sandbox.rows("activitymimeattachment"))


async def loop(tenant: Tenant, report: PassReport) -> None:
    """The visit ends after a few requests, in a state of its own; no other mailbox waits."""
    assert len(tenant.mailbox_requests(BOXES[0])) <= 5
    assert tenant.states() == {BOXES[0].address: "looping", BOXES[1].address: "synced"}
    assert [one.record_id for one in report.problems] == [BOXES[0].mailbox_id]
    assert complete(tenant) == ["other box"]

    tenant.sandbox.stream_faults(BOXES[0].alias).repeat_link = False
    tenant.sandbox.faults.clear()
    assert (await once(tenant.sync)).is_clean
    assert complete(tenant) == ["one", "other box"]


async def without_an_attachment(tenant: Tenant, report: PassReport) -> None:
    """The mail is there with what can be had, and the row says that something is missing."""
    assert report.is_clean, report.problems
    [row] = tenant.emails()
    assert (row["statuscode"], row["notifications"]) == (4, 1)


async def without_the_attached_item(tenant: Tenant, report: PassReport) -> None:
    await without_an_attachment(tenant, report)
    assert attached(tenant) == ["fine.pdf"]

    tenant.sandbox.faults.clear()
    tenant.sandbox.faults.clear()
    assert (await once(tenant.sync)).is_clean
    assert attached(tenant) == ["Forwarded.eml", "fine.pdf"]
    [row] = tenant.emails()
    assert (row["statuscode"], row["notifications"]) == (4, 0)


async def the_contract_is_attached(tenant: Tenant, report: PassReport) -> None:
    assert attached(tenant) == ["contract.pdf"]


async def a_row_for_each_scan(tenant: Tenant, report: PassReport) -> None:
    assert attached(tenant) == ["scan1.pdf", "scan2.pdf"]


async def after_a_few_visits(tenant: Tenant, report: PassReport) -> None:
    assert not report.is_clean
    for _ in range(3):
        report = await once(tenant.sync)
        if report.is_clean:
            break
    assert report.is_clean, report.problems


async def the_scanner(tenant: Tenant, report: PassReport) -> None:
    [row] = tenant.emails()
    assert row["sender"] == "scanner3@fabrikam.com"


async def nothing_more(tenant: Tenant, report: PassReport) -> None:
    pass


CHECKS: dict[str, Callable[[Tenant, PassReport], Awaitable[None]]] = {
    "01-delta-same-link-empty": loop,
    "02-nested-div-200kB": nothing_more,
    "03-attachment-400": without_an_attachment,
    "03-attachment-500": without_the_attached_item,
    "04-inline-pdf-without-cid": the_contract_is_attached,
    "05-no-message-id-one-second": a_row_for_each_scan,
    "05-one-message-id-one-second": nothing_more,
    "06-invalid-characters": nothing_more,
    "08-dead-link-other-code": after_a_few_visits,
    "10-from-without-address": the_scanner,
}


@pytest.mark.parametrize("name", reported.FILES)
async def test_it_arrives_whole_and_soon(tenant: Tenant, name: str) -> None:
    started = time.monotonic()
    report = await play(tenant, name)
    assert time.monotonic() - started < SECONDS

    check = CHECKS[name]
    await check(tenant, report)

    subjects: list[Any] = [told["subject"] for told in reported.read(name)["messages"]]
    assert len(complete(tenant)) == len(subjects)
    tenant.sandbox.faults.clear()
    assert (await once(tenant.sync)).is_clean
