from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guard.facts.actor import SYSTEM_ADMINISTRATOR
from guard.facts.fact_sheet import UNREADABLE_OWNER
from guard.ledger.entry import MirrorRow
from guard.ports.directory import Person
from guard.ports.rows import HeldRole, UserRow
from guard.receive.ancestors import Ancestor
from kernel.clock import FrozenClock
from tests.guard.assembled import (
    APPROVER_ROLE,
    GLOBAL_ADMINISTRATOR,
    SYSTEM_ID,
    AReceiver,
    a_receiver,
)
from tests.guard.builders import (
    ADMIN_ID,
    CEO_OBJECT_ID,
    GUARD_ID,
    MAILBOX_ID,
    OBJECT_ID,
    QUEUE_ID,
    USER_ID,
)
from tests.guard.facts.questions import OWNED, a_question, gathered

ROLES = ("roles", "roleIds", "roleTemplates", "isSystemAdministrator", "isDelegatedApprover")


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    return a_receiver(clock, deadline_seconds=0.2)


async def test_only_what_is_needed_is_fetched(receiver: AReceiver) -> None:
    await gathered(receiver, a_question("actor.canApproveEmail"))
    assert sorted(receiver.rows.asked) == [
        f"has_privilege {ADMIN_ID} prvApproveRejectEmailAddress",
        f"user {ADMIN_ID}",
    ]
    await gathered(receiver, a_question())
    assert len(receiver.rows.asked) == 2
    await gathered(receiver, a_question("actor.id", "new.owner.id", "new.owner.type"))
    assert len(receiver.rows.asked) == 2
    assert not receiver.directory.asked


class TestActor:
    async def test_roles_count_directly_and_through_teams(self, receiver: AReceiver) -> None:
        receiver.rows.team_roles[ADMIN_ID] = [HeldRole("copy", "Freigeber", None, APPROVER_ROLE)]
        found = await gathered(receiver, a_question(*(f"actor.{name}" for name in ROLES)))
        assert found.values["actor.roles"] == ("Administrador", "Freigeber")
        assert found.values["actor.roleIds"] == (APPROVER_ROLE, "copy", "r0", "r1")
        assert found.values["actor.roleTemplates"] == (SYSTEM_ADMINISTRATOR,)
        assert found.values["actor.isSystemAdministrator"] is True
        assert found.values["actor.isDelegatedApprover"] is True

    async def test_a_role_that_only_has_the_name_counts_for_nothing(
        self, receiver: AReceiver
    ) -> None:
        receiver.rows.roles[USER_ID] = [
            HeldRole("x", "System Administrator", None, None),
            HeldRole(SYSTEM_ADMINISTRATOR, "System Administrator", None, SYSTEM_ADMINISTRATOR),
        ]
        found = await gathered(
            receiver, a_question("actor.isSystemAdministrator", actor_id=USER_ID)
        )
        assert found.values["actor.isSystemAdministrator"] is False

    async def test_without_the_setting_the_platforms_template_tells_who_may_approve(
        self, clock: FrozenClock
    ) -> None:
        receiver = a_receiver(clock, delegated_role_id=None)
        name = "Delegated Mailbox Approver"
        receiver.rows.roles[USER_ID] = [HeldRole("r2", "Freigeber", "t2", "r2", name)]
        asked = a_question("actor.isDelegatedApprover", actor_id=USER_ID)
        assert (await gathered(receiver, asked)).values["actor.isDelegatedApprover"] is True
        # A role's own name is anybody's to give, and that no template is told says nothing.
        receiver.rows.roles[USER_ID] = [HeldRole("r2", name, None, "r2")]
        found = await gathered(receiver, asked)
        assert "DELEGATED_APPROVER_ROLE_ID" in found.missing["actor.isDelegatedApprover"]

    @pytest.mark.parametrize(
        ("actor_id", "kind"),
        [
            (USER_ID, "user"),
            (GUARD_ID, "guard"),
            (SYSTEM_ID, "system"),
            (QUEUE_ID, "application"),
        ],
    )
    async def test_its_kind_is_told_by_the_row(
        self, receiver: AReceiver, actor_id: str, kind: str
    ) -> None:
        receiver.rows.users[QUEUE_ID] = UserRow(QUEUE_ID, "app@contoso.com", None, "app-id")
        found = await gathered(receiver, a_question("actor.kind", actor_id=actor_id))
        assert found.values["actor.kind"] == kind

    async def test_directory_roles_come_from_entra(self, receiver: AReceiver) -> None:
        found = await gathered(receiver, a_question("actor.entraRoles", "actor.upn"))
        assert found.values["actor.entraRoles"] == (GLOBAL_ADMINISTRATOR,)
        assert found.values["actor.upn"] == "admin@contoso.com"
        assert found.sources["actor.entraRoles"] == "entra"

    async def test_who_is_no_person_has_no_directory_roles(self, receiver: AReceiver) -> None:
        found = await gathered(receiver, a_question("actor.entraRoles", actor_id=SYSTEM_ID))
        assert found.values["actor.entraRoles"] == ()

    async def test_one_who_cannot_be_resolved_lacks_every_fact_of_the_row(
        self, receiver: AReceiver
    ) -> None:
        found = await gathered(receiver, a_question("actor.upn", "actor.kind", actor_id=MAILBOX_ID))
        assert set(found.missing) >= {"actor.upn", "actor.kind"}
        found = await gathered(receiver, a_question("actor.id", actor_id=None))
        assert found.missing == {"actor.id": "the delivery names no actor"}

    async def test_half_of_the_roles_are_none(self, receiver: AReceiver) -> None:
        async def failing(user_id: str) -> Any:
            from kernel.errors import Unavailable

            raise Unavailable("Teams can't be read.")

        receiver.rows.team_roles_of = failing  # type: ignore[method-assign]
        found = await gathered(receiver, a_question("actor.roles"))
        assert found.missing["actor.roles"] == "Teams can't be read."

    async def test_its_own_row_is_not_read_while_it_is_being_changed(
        self, receiver: AReceiver
    ) -> None:
        columns = {"domainname": "anna@contoso.com", "azureactivedirectoryobjectid": OBJECT_ID}
        named = {"table": "systemuser", "record_id": USER_ID, "actor_id": USER_ID}
        found = await gathered(receiver, a_question("actor.upn", columns=columns, **named))
        assert found.values["actor.upn"] == "anna@contoso.com"
        found = await gathered(receiver, a_question("actor.upn", columns={}, **named))
        assert "actor.upn" in found.missing
        assert f"user {USER_ID}" not in receiver.rows.asked
        after = a_question("actor.upn", columns={}, is_synchronous=False, **named)
        assert (await gathered(receiver, after)).values["actor.upn"] == "Anna@contoso.com"


class TestOwner:
    NEEDED = ("new.owner.upn", "new.owner.objectId", "new.owner.entraUpn", "new.owner.type")

    async def test_it_is_the_regarding_user(self, receiver: AReceiver) -> None:
        found = await gathered(receiver, a_question(*self.NEEDED))
        assert found.values["new.owner.upn"] == "Anna@contoso.com"
        assert found.values["new.owner.objectId"] == OBJECT_ID
        assert found.values["new.owner.entraUpn"] == "anna@contoso.com"
        assert found.values["new.owner.type"] == "user"

    async def test_without_an_object_id_entra_is_asked_by_upn(self, receiver: AReceiver) -> None:
        receiver.rows.users[USER_ID] = UserRow(USER_ID, "anna@contoso.com")
        found = await gathered(receiver, a_question(*self.NEEDED))
        assert found.values["new.owner.objectId"] == OBJECT_ID

    @pytest.mark.parametrize("kind", ["queue", "team"])
    async def test_a_queue_or_team_has_no_upn_and_no_object(
        self, receiver: AReceiver, kind: str
    ) -> None:
        columns = {"ownerid.id": QUEUE_ID, "ownerid.type": kind}
        found = await gathered(receiver, a_question(*self.NEEDED, columns=columns))
        assert found.values["new.owner.type"] == kind
        assert found.values["new.owner.upn"] is None
        assert found.values["new.owner.objectId"] is None
        assert not receiver.rows.asked

    async def test_before_a_create_there_was_none(self, receiver: AReceiver) -> None:
        question = a_question("old.owner.upn", before={}, operation="create")
        assert (await gathered(receiver, question)).values["old.owner.upn"] is None

    async def test_a_row_that_names_no_owner_lacks_it(self, receiver: AReceiver) -> None:
        found = await gathered(receiver, a_question("new.owner.upn", columns={"statecode": 0}))
        assert found.missing["new.owner.upn"] == "the row names no owner"

    async def test_on_create_it_comes_from_the_transaction_or_the_mirror(
        self, receiver: AReceiver
    ) -> None:
        question = a_question("new.owner.upn", operation="create", before={})
        found = await gathered(receiver, question)
        assert found.missing["new.owner.upn"] == UNREADABLE_OWNER
        copy = MirrorRow(
            "systemuser", USER_ID, {"domainname": "m@contoso.com"}, receiver.clock.now()
        )
        receiver.ledger.rows["systemuser", USER_ID] = copy
        found = await gathered(receiver, question)
        assert found.values["new.owner.upn"] == "m@contoso.com"
        sent = Ancestor("systemuser", "Create", USER_ID, {"domainname": "p@contoso.com"}, None)
        question = a_question("new.owner.upn", operation="create", before={}, ancestors=(sent,))
        found = await gathered(receiver, question)
        assert found.values["new.owner.upn"] == "p@contoso.com"
        assert not receiver.rows.asked

    async def test_of_a_user_being_changed_it_is_the_change_itself(
        self, receiver: AReceiver
    ) -> None:
        question = a_question(
            "new.owner.upn",
            "old.owner.upn",
            table="systemuser",
            record_id=USER_ID,
            columns={"domainname": "new@contoso.com"},
            before={"domainname": "old@contoso.com"},
        )
        found = await gathered(receiver, question)
        assert found.values["new.owner.upn"] == "new@contoso.com"
        assert found.values["old.owner.upn"] == "old@contoso.com"
        assert not receiver.rows.asked


class TestAddressOwner:
    NEEDED = ("new.addressOwner.count", "new.addressOwner.objectId", "new.addressOwner.upn")

    async def test_an_alias_leads_to_its_object(self, receiver: AReceiver) -> None:
        columns = OWNED | {"emailaddress": "BOSS@contoso.com"}
        found = await gathered(receiver, a_question(*self.NEEDED, columns=columns))
        assert found.values["new.addressOwner.objectId"] == CEO_OBJECT_ID
        assert found.values["new.addressOwner.count"] == 1

    async def test_several_holders_name_nobody(self, receiver: AReceiver) -> None:
        receiver.directory.people["x"] = Person("x", "anna@contoso.com")
        found = await gathered(receiver, a_question(*self.NEEDED))
        assert found.values["new.addressOwner.count"] == 2
        assert found.values["new.addressOwner.upn"] is None

    async def test_no_address_has_no_holder(self, receiver: AReceiver) -> None:
        found = await gathered(receiver, a_question(*self.NEEDED, columns={"statecode": 0}))
        assert found.values["new.addressOwner.count"] == 0
        assert not receiver.directory.asked


async def test_a_late_fact_is_a_missing_fact(receiver: AReceiver) -> None:
    async def never(user_id: str) -> Any:
        await asyncio.sleep(30)

    receiver.rows.user = never  # type: ignore[method-assign]
    found = await gathered(receiver, a_question("new.owner.upn", "actor.roles"))
    assert "within 0.2 seconds" in found.missing["new.owner.upn"]
    assert "actor.roles" in found.values


async def test_what_nothing_supplies_is_missing(receiver: AReceiver) -> None:
    found = await gathered(receiver, a_question("facts.ownerEmployment", "new.owner.shoeSize"))
    assert found.missing == {
        "facts.ownerEmployment": "nothing supplies this fact",
        "new.owner.shoeSize": "nothing supplies this fact",
    }


async def test_a_silent_service_is_a_reason(receiver: AReceiver) -> None:
    receiver.rows.is_down = receiver.directory.is_down = True
    found = await gathered(receiver, a_question("new.owner.upn", "new.addressOwner.upn"))
    assert found.missing["new.owner.upn"] == "Dataverse does not answer."
    assert found.missing["new.addressOwner.upn"] == "The directory does not answer."
