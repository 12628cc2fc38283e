"""`scan --apply` as a process: the brake asks a person, and the list is printed all the same."""

from __future__ import annotations

import copy
import json

import pytest

from kernel import approvals
from kernel.clock import SystemClock
from kernel.database import Database
from kernel.failpoints import failpoint
from tests.end_to_end.processes import Processes
from tests.end_to_end.tenant_cloud import TenantCloud

pytestmark = pytest.mark.slow
STEP = failpoint("tests.scanned", "An approval of the tests of the scan.")
MANY = 21


def with_strange_mailboxes(cloud: TenantCloud) -> list[str]:
    """Add mailboxes with addresses that nobody allows; return their ids."""
    first = cloud.tenant["dataverse"]["mailboxes"][0]
    ids = [f"b1000000-0000-4000-8000-0000000001{number:02}" for number in range(MANY)]
    for number, mailbox_id in enumerate(ids):
        row = copy.deepcopy(first) | {
            "mailboxid": mailbox_id,
            "emailaddress": f"person{number}@fabrikam.example",
            "emailrouteraccessapproval": 1,
        }
        cloud.tenant["dataverse"]["mailboxes"].append(row)
    return ids


def hold_approved(group: Processes, ids: list[str]) -> None:
    assert group.run("db", "upgrade").returncode == 0
    database = Database(f"sqlite:///{group.folder / 'data' / 'mailbox-guard.db'}")
    database.open()
    for mailbox_id in ids:
        database.write_now(
            lambda c, mailbox_id=mailbox_id: approvals.grant(
                c,
                record_id=mailbox_id,
                address="anna@contoso.com",
                object_id="e1000000-0000-4000-8000-000000000001",
                owner_id="a1000000-0000-4000-8000-000000000001",
                owner_type="systemuser",
                evidence={},
                now=SystemClock().now(),
            ),
            failpoint=STEP,
        )
    database.close()


def approved(group: Processes) -> int:
    listed = json.loads(group.run("mailboxes", "list", "--output", "json").stdout)
    return sum(one["approved"] for one in listed)


def test_more_withdrawals_than_the_brake_allows_wait_for_a_persons_word(
    group: Processes, cloud: TenantCloud
) -> None:
    cloud.tenant = copy.deepcopy(cloud.tenant)
    ids = with_strange_mailboxes(cloud)
    hold_approved(group, ids)
    apply = ("scan", "--apply", "--output", "json")

    stopped = group.run(*apply, **cloud.settings)
    assert stopped.returncode == 1
    assert f"{MANY} approvals would be withdrawn at once" in stopped.stderr
    assert f"--yes-withdraw {MANY}" in stopped.stderr
    assert {one["record_id"] for one in json.loads(stopped.stdout)} >= set(ids)
    assert approved(group) == MANY

    done = group.run(*apply, "--yes-withdraw", str(MANY), **cloud.settings)
    assert done.returncode == 1
    assert {one["record_id"] for one in json.loads(done.stdout)} >= set(ids)
    assert f"withdrew {MANY}" in done.stderr
    assert {one["result"] for one in json.loads(done.stdout) if one["record_id"] in ids} == {"fail"}
