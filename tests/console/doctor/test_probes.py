"""`doctor` on a tenant: what is wrong is named, what is mended is well."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from console import schema
from console.doctor.canary import REASON
from console.doctor.diagnosis import Diagnosis, Severity
from console.doctor.examination import UNASKED, Report, examine
from console.doctor.opening import opened
from console.doctor.privileges import NEEDED
from console.doctor.unproved import QUESTIONS
from kernel.clock import FrozenClock, SystemClock
from kernel.database import Database
from kernel.settings import load
from sandbox import people
from sandbox.dataverse.privileges import GLOBAL
from sandbox.faults import PlannedFault
from sandbox.people import stable_id
from sandbox.server import Sandbox

pytestmark = pytest.mark.slow
LEAST = "Mailbox Guard"


class House:
    """A sandbox, and the settings of an installation that uses it."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox = sandbox
        self.settings = sandbox.settings() | {
            "MAILBOX_GUARD_DATA_DIR": str(folder),
            "MAILBOX_GUARD_CANARY_OBJECT_ID": people.CFO.object_id,
            "MAILBOX_GUARD_CLIENT_SECRET_ENDS": "2099-01-01",
            "MAILBOX_GUARD_SYNC_CLIENT_SECRET_ENDS": "2099-01-01",
        }

    def have_least(self) -> None:
        """Give both applications what they need, and no more."""
        applications = self.sandbox.directory.applications
        applications[people.SYNC_CLIENT_ID].graph_roles = set()
        self.sandbox.graph.mail.scoped[people.SYNC_CLIENT_ID] = {people.BOB.object_id}
        dataverse, role = self.sandbox.dataverse, stable_id("role/least")
        dataverse.insert("role", {"roleid": role, "name": LEAST})
        for needed in NEEDED:
            privilege = stable_id(f"privilege/{needed.name}")
            if dataverse.store.get("privilege", privilege) is None:
                dataverse.insert("privilege", {"privilegeid": privilege, "name": needed.name})
            dataverse.insert(
                "roleprivileges",
                {"roleid": role, "privilegeid": privilege, "privilegedepthmask": GLOBAL},
            )
        transaction = dataverse.store.begin()
        for held in dataverse.store.all("systemuserroles"):
            if held["systemuserid"] == people.GUARD_USER_ID:
                transaction.delete("systemuserroles", held["systemuserroleid"])
        transaction.commit()
        dataverse.insert("systemuserroles", {"systemuserid": people.GUARD_USER_ID, "roleid": role})

    async def examined(self, **settings: str) -> Report:
        given = {f"MAILBOX_GUARD_{name.upper()}": text for name, text in settings.items()}
        async with opened(load(self.settings | given), SystemClock()) as house:
            return await examine(house)


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with Sandbox() as sandbox:
        yield House(sandbox, tmp_path)


def of(report: Report, code: str) -> list[Diagnosis]:
    return [one for one in report.diagnoses if one.code == code]


def severities(report: Report, code: str) -> set[Severity]:
    return {one.severity for one in of(report, code)}


async def test_an_application_with_no_more_than_it_needs_is_well(house: House) -> None:
    house.have_least()
    report = await house.examined()
    for code in (
        "token-given", "services-answer", "clock-agrees", "credential-ending", "identities-apart",
        "permissions-enough", "permissions-least", "mailboxes-scoped", "canary-refused",
        "own-user", "privileges-enough", "privileges-least", "disk-room", "switches-on",
    ):  # fmt: skip
        assert severities(report, code) == {Severity.WELL}, of(report, code)
    assert not any(line.is_too_much for line in report.access)


async def test_what_the_sample_tenant_grants_beyond_need_is_found(house: House) -> None:
    report = await house.examined()
    excess = {line.permission for line in report.access if line.is_too_much}
    assert excess == {"Mail.ReadWrite", "Mail.Send", "MailboxSettings.Read", "User.Read.All"}
    assert {one.about for one in of(report, "permissions-least")} >= {
        "mailboxes, Mail.Send",
        "mailboxes, Mail.ReadWrite",
    }
    assert "The guard's user is System Administrator." in {
        one.told for one in of(report, "privileges-least")
    }
    assert not report.is_clean


async def test_a_canary_that_can_be_read_is_an_error_and_its_mail_is_not_read(
    house: House,
) -> None:
    report = await house.examined()
    by_identity = {one.about: one.severity for one in of(report, "canary-refused")}
    assert by_identity == {"guard": Severity.WELL, "mailboxes": Severity.ERROR}
    inside = [one for one in house.sandbox.access_log() if people.CFO.object_id in one.path]
    assert {(one.method, one.path.rpartition("/")[2]) for one in inside} == {("GET", "inbox")}
    assert {one.query for one in inside} == {"$select=id"}
    assert REASON.startswith("doctor")


async def test_a_canary_without_a_mailbox_proves_nothing(house: House) -> None:
    del house.sandbox.exchange.mailboxes[people.CFO.object_id]
    report = await house.examined()
    told = {one.about: one.severity for one in of(report, "canary-refused")}
    assert told["mailboxes"] is Severity.NOT_KNOWN


async def test_a_policy_of_access_that_refuses_the_canary_is_a_proof(house: House) -> None:
    house.sandbox.graph.mail.denied[people.SYNC_CLIENT_ID] = {people.CFO.object_id}
    assert severities(await house.examined(), "canary-refused") == {Severity.WELL}


async def test_without_a_canary_nothing_is_proved(house: House) -> None:
    report = await house.examined(canary_object_id="")
    assert severities(report, "canary-refused") == {Severity.NOT_KNOWN}


async def test_a_missing_permission_says_what_does_not_work(house: House) -> None:
    house.sandbox.directory.applications[people.GUARD_CLIENT_ID].graph_roles = {"User.Read.All"}
    report = await house.examined()
    lacking = {one.about: one for one in of(report, "permissions-enough")}
    assert lacking.keys() == {
        "RoleManagement.Read.Directory", "GroupMember.Read.All", "OrgContact.Read.All",
    }  # fmt: skip
    assert "qualified approver" in lacking["RoleManagement.Read.Directory"].means


async def test_a_missing_privilege_is_named_with_what_does_not_work(house: House) -> None:
    house.have_least()
    transaction = house.sandbox.dataverse.store.begin()
    for row in house.sandbox.dataverse.store.all("roleprivileges"):
        if row["privilegeid"] == stable_id("privilege/prvWriteQueue"):
            transaction.delete("roleprivileges", row["roleprivilegeid"])
    transaction.commit()
    (one,) = of(await house.examined(), "privileges-enough")
    assert one.severity is Severity.ERROR
    assert "prvWriteQueue" in one.told
    assert "queue is restored" in one.means


async def test_one_identity_for_both_is_found(house: House) -> None:
    report = await house.examined(sync_client_id="", sync_client_secret="")
    assert severities(report, "identities-apart") == {Severity.WARN}
    assert {line.identity for line in report.access} == {"guard"}


async def test_a_wrong_secret_is_told_once_for_each_service_and_nothing_else_is_asked(
    house: House,
) -> None:
    report = await house.examined(client_secret="wrong")
    refused = [one for one in of(report, "token-given") if one.severity is Severity.ERROR]
    assert len(refused) == 2
    assert "secret is wrong" in refused[0].mend
    assert {one.about for one in of(report, UNASKED)} >= {"graph", "dataverse"}
    assert of(report, "services-answer") == []


async def test_an_expired_secret_is_told_by_its_mend(house: House) -> None:
    application = house.sandbox.directory.applications[people.GUARD_CLIENT_ID]
    application.expired_secrets = set(application.secrets)
    application.secrets = {"another"}
    report = await house.examined()
    assert "has ended" in of(report, "token-given")[0].mend


async def test_a_secret_that_ends_within_two_weeks_is_told_before(house: House) -> None:
    today = SystemClock().now().date()
    report = await house.examined(
        client_secret_ends=str(today + timedelta(days=7)),
        sync_client_secret_ends=str(today - timedelta(days=1)),
    )
    found = {one.about: one.severity for one in of(report, "credential-ending")}
    assert found == {"guard": Severity.WARN, "mailboxes": Severity.ERROR}


async def test_a_service_that_is_down_is_one_finding(house: House) -> None:
    house.sandbox.faults.add(PlannedFault("graph", "/v1.0", status=503, times=1000))
    report = await house.examined()
    assert [one.about for one in of(report, "services-answer") if not one.is_clean] == [
        "Microsoft Graph"
    ]
    (unasked,) = [one for one in of(report, UNASKED) if one.about == "graph"]
    assert "canary-refused" in unasked.told
    assert of(report, "canary-refused") == []


async def test_a_clock_that_is_off_is_an_error(house: House) -> None:
    clock = FrozenClock(SystemClock().now() - timedelta(minutes=3))
    async with opened(load(house.settings), clock) as installation:
        report = await examine(installation)
    assert severities(report, "clock-agrees") == {Severity.ERROR}


async def test_nothing_is_made_or_upgraded_by_looking(house: House, tmp_path: Path) -> None:
    report = await house.examined()
    assert os.listdir(tmp_path) == []
    (one,) = of(report, "database-ready")
    assert one.severity is Severity.NOTE
    methods = {one.method for one in house.sandbox.access_log() if one.origin != "entra"}
    assert methods == {"GET"}


async def test_a_database_with_its_schema_is_looked_at(house: House, tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'mailbox-guard.db'}")
    database.open()
    schema.prepare(database)
    database.close()
    report = await house.examined()
    assert severities(report, "database-ready") == {Severity.WELL}
    assert severities(report, "ledger-whole") == {Severity.WELL}
    assert severities(report, "anchors-follow") == {Severity.WARN}


async def test_policies_that_do_not_load_are_told(house: House, tmp_path: Path) -> None:
    report = await house.examined(policies_dir=str(tmp_path))
    assert severities(report, "policies-loaded") == {Severity.ERROR}


async def test_a_guard_that_only_observes_says_so(house: House) -> None:
    report = await house.examined(enforcement="observe")
    assert Severity.WARN in severities(report, "policies-loaded")


async def test_a_guard_that_is_not_registered_is_told(house: House) -> None:
    report = await house.examined()
    (one,) = of(report, "steps-registered")
    assert one.severity is Severity.ERROR
    assert "--url" in one.mend
    assert severities(report, "outside-reach") == {Severity.NOT_KNOWN}


async def test_the_switches_of_approval_are_looked_at(house: House) -> None:
    transaction = house.sandbox.dataverse.store.begin()
    row = dict(house.sandbox.rows("organization")[0]) | {"requireapprovalforuseremail": False}
    transaction.put("organization", row)
    transaction.commit()
    found = {one.about: one.severity for one in of(await house.examined(), "switches-on")}
    assert found == {
        "requireapprovalforuseremail": Severity.ERROR,
        "requireapprovalforqueueemail": Severity.WELL,
    }


async def test_what_can_be_asked_of_open_questions_is_asked_and_the_rest_is_named(
    house: House,
) -> None:
    answers = {one.about: one for one in of(await house.examined(), "open-questions")}
    assert answers.keys() == {one.code for one in QUESTIONS}
    assert answers["role-templates"].severity is Severity.WELL
    assert answers["change-tracking"].told == (
        "Change tracking: mailbox on, systemuser on, queue on."
    )
    for one in QUESTIONS:
        if one.unsafe_because:
            assert answers[one.code].severity is Severity.NOTE
            assert one.unsafe_because in answers[one.code].told


async def test_a_tenant_without_the_roles_that_approve_is_an_error(house: House) -> None:
    house.sandbox.directory.roles.clear()
    answers = {one.about: one for one in of(await house.examined(), "open-questions")}
    assert answers["role-templates"].severity is Severity.ERROR


async def test_a_mailbox_from_which_people_are_told_makes_sending_a_use(house: House) -> None:
    house.sandbox.directory.applications[people.GUARD_CLIENT_ID].graph_roles.add("Mail.Send")
    without = {one.about for one in of(await house.examined(), "permissions-least")}
    assert "guard, Mail.Send" in without
    told = await house.examined(mail_sender=people.SUPPORT_OBJECT_ID)
    assert "guard, Mail.Send" not in {one.about for one in of(told, "permissions-least")}
    # It is granted for the whole tenant all the same, which is told as that.
    assert "guard, Mail.Send" in {one.about for one in of(told, "mailboxes-scoped")}
