"""What the platform does by itself with addresses, approvals, mailboxes and e-mail rows."""

from __future__ import annotations

import base64

import pytest

from sandbox import people
from sandbox.dataverse.platform import AddressEdit
from sandbox.people import ADMIN, ANNA, APPROVER, BOB, CEO, DESK, EXCHANGE_ADMIN, GLOBAL_ADMIN
from sandbox.server import Sandbox


def mailbox(sample: people.Sample) -> str:
    return f"mailboxes({sample.mailbox_id})"


def state(sandbox: Sandbox, sample: people.Sample) -> tuple[str, int, str, int]:
    row = sandbox.row("mailbox", sample.mailbox_id) or {}
    user = sandbox.row("systemuser", sample.user_id) or {}
    return (
        row["emailaddress"],
        row["emailrouteraccessapproval"],
        user["internalemailaddress"],
        user["emailrouteraccessapproval"],
    )


class TestAddress:
    async def test_an_edit_on_the_mailbox_is_redirected_to_the_user(self, sandbox, webapi) -> None:
        await webapi("anna", "PATCH", mailbox(ANNA), json={"emailaddress": "x@contoso.com"})
        assert state(sandbox, ANNA) == ("x@contoso.com", 2, "x@contoso.com", 2)

    async def test_an_edit_on_the_user_shows_on_the_mailbox(self, sandbox, webapi) -> None:
        path = f"systemusers({ANNA.user_id})"
        await webapi("anna", "PATCH", path, json={"internalemailaddress": "x@contoso.com"})
        assert state(sandbox, ANNA) == ("x@contoso.com", 2, "x@contoso.com", 2)

    async def test_another_spelling_is_not_another_address(self, sandbox, webapi) -> None:
        await webapi("anna", "PATCH", mailbox(ANNA), json={"emailaddress": "ANNA@contoso.com"})
        assert state(sandbox, ANNA)[1] == 1

    async def test_no_address_means_no_approval(self, sandbox, webapi) -> None:
        await webapi("anna", "PATCH", mailbox(ANNA), json={"emailaddress": None})
        assert state(sandbox, ANNA) == (None, 0, None, 0)

    async def test_the_edit_is_refused_where_the_switch_says_so(self, sandbox, webapi) -> None:
        sandbox.dataverse.switches.address_edit = AddressEdit.REFUSE
        body = {"emailaddress": "x@contoso.com"}
        answer = await webapi("anna", "PATCH", mailbox(ANNA), json=body)
        assert answer.json()["error"]["code"] == "0x8005E208"
        assert state(sandbox, ANNA)[0] == ANNA.address

    async def test_the_edit_stays_on_the_mailbox_where_the_switch_says_so(
        self, sandbox, webapi
    ) -> None:
        sandbox.dataverse.switches.address_edit = AddressEdit.PLAIN
        await webapi("anna", "PATCH", mailbox(ANNA), json={"emailaddress": "x@contoso.com"})
        assert state(sandbox, ANNA) == ("x@contoso.com", 2, ANNA.address, 1)

    @pytest.mark.parametrize("fires", [True, False])
    async def test_the_edit_is_made_in_place_and_shown_on_the_owner_where_the_switch_says_so(
        self, sandbox, receiver, webapi, fires
    ) -> None:
        sandbox.register(receiver.url, "k")
        switches = sandbox.dataverse.switches
        switches.address_edit, switches.mirror_fires = AddressEdit.IN_PLACE, fires
        await webapi("anna", "PATCH", mailbox(ANNA), json={"emailaddress": "x@contoso.com"})
        await sandbox.settle()
        assert state(sandbox, ANNA) == ("x@contoso.com", 2, "x@contoso.com", 2)
        tables = {got.context["PrimaryEntityName"] for got in receiver.received}
        assert tables == ({"mailbox", "systemuser"} if fires else {"mailbox"})
        approve = {"emailrouteraccessapproval": 1}
        assert (await webapi("bob", "PATCH", mailbox(BOB), json=approve)).status_code == 204
        assert state(sandbox, BOB) == (BOB.address, 1, BOB.address, 1)

    async def test_any_address_sent_to_a_queue_makes_it_pending(self, sandbox, webapi) -> None:
        queue = f"queues({people.SUPPORT_QUEUE_ID})"
        approved = await webapi("approver", "PATCH", queue, json={"emailrouteraccessapproval": 1})
        assert approved.status_code == 204
        await webapi("desk", "PATCH", queue, json={"emailaddress": "support@contoso.com"})
        row = sandbox.row("queue", people.SUPPORT_QUEUE_ID)
        shown = sandbox.row("mailbox", people.SUPPORT_MAILBOX_ID)
        assert row["emailrouteraccessapproval"] == 2
        assert shown["emailrouteraccessapproval"] == 2

    async def test_a_plain_user_edits_only_what_is_theirs(self, webapi) -> None:
        answer = await webapi("bob", "PATCH", mailbox(ANNA), json={"username": "x"})
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "0x80040220"


class TestBusinessUnit:
    async def test_a_row_is_in_the_unit_of_its_owner_and_moves_with_another(
        self, sandbox, webapi
    ) -> None:
        def unit() -> str:
            row = sandbox.row("queue", people.SUPPORT_QUEUE_ID) or {}
            return row["owningbusinessunit"].id

        assert unit() == people.BUSINESS_UNIT_ID
        owner = {"ownerid@odata.bind": f"/systemusers({ANNA.user_id})"}
        path = f"queues({people.SUPPORT_QUEUE_ID})"
        assert (await webapi("admin", "PATCH", path, json=owner)).status_code == 204
        assert unit() == people.INSIDE_SALES_UNIT_ID
        await webapi("admin", "PATCH", path, json={"name": "Help"})
        assert unit() == people.INSIDE_SALES_UNIT_ID


class TestApproval:
    @pytest.mark.parametrize("sample", [APPROVER, EXCHANGE_ADMIN, GLOBAL_ADMIN])
    async def test_the_documented_combinations_may_approve(self, sample, sandbox, webapi) -> None:
        body = {"emailrouteraccessapproval": 1}
        answer = await webapi(sample.alias, "PATCH", mailbox(BOB), json=body)
        assert answer.status_code == 204, answer.text
        assert state(sandbox, BOB) == (BOB.address, 1, BOB.address, 1)
        assert sandbox.row("mailbox", BOB.mailbox_id)["isemailaddressapprovedbyo365admin"]

    @pytest.mark.parametrize("sample", [ADMIN, DESK])
    async def test_nobody_else_may(self, sample, sandbox, webapi) -> None:
        body = {"emailrouteraccessapproval": 1}
        answer = await webapi(sample.alias, "PATCH", mailbox(BOB), json=body)
        assert answer.status_code == 403
        assert state(sandbox, BOB)[1] == 2

    async def test_people_approve_their_own_address(self, sandbox, webapi) -> None:
        body = {"emailrouteraccessapproval": 1}
        assert (await webapi("bob", "PATCH", mailbox(BOB), json=body)).status_code == 204
        assert state(sandbox, BOB)[3] == 1

    async def test_and_no_other(self, sandbox, webapi) -> None:
        body = {"emailaddress": CEO.address, "emailrouteraccessapproval": 1}
        assert (await webapi("bob", "PATCH", mailbox(BOB), json=body)).status_code == 403
        assert state(sandbox, BOB)[0] == BOB.address

    async def test_self_approval_can_be_made_to_need_the_privilege(self, sandbox, webapi) -> None:
        sandbox.dataverse.switches.privilege_to_self_approve = True
        body = {"emailrouteraccessapproval": 1}
        assert (await webapi("bob", "PATCH", mailbox(BOB), json=body)).status_code == 403

    async def test_a_qualified_caller_keeps_the_approval_in_one_patch(
        self, sandbox, webapi
    ) -> None:
        body = {"emailaddress": "x@contoso.com", "emailrouteraccessapproval": 1}
        assert (await webapi("approver", "PATCH", mailbox(ANNA), json=body)).status_code == 204
        assert state(sandbox, ANNA) == ("x@contoso.com", 1, "x@contoso.com", 1)

    async def test_rejecting_needs_the_privilege(self, sandbox, webapi) -> None:
        body = {"emailrouteraccessapproval": 3}
        assert (await webapi("desk", "PATCH", mailbox(ANNA), json=body)).status_code == 403
        assert (await webapi("admin", "PATCH", mailbox(ANNA), json=body)).status_code == 204
        assert state(sandbox, ANNA)[1] == 3

    async def test_test_and_enable_approves_what_the_asker_could(
        self, sandbox, receiver, webapi
    ) -> None:
        sandbox.register(receiver.url, "k")
        body = {"testemailconfigurationscheduled": True}
        assert (await webapi("bob", "PATCH", mailbox(BOB), json=body)).status_code == 204
        await sandbox.settle()
        assert state(sandbox, BOB)[1] == 1
        assert not sandbox.row("mailbox", BOB.mailbox_id)["testemailconfigurationscheduled"]
        initiators = {got.context["InitiatingUserId"] for got in receiver.received}
        assert people.SYSTEM_USER_ID in initiators

    async def test_test_and_enable_approves_nothing_else(self, sandbox, webapi) -> None:
        body = {"testemailconfigurationscheduled": True}
        await webapi("admin", "PATCH", mailbox(BOB), json=body)
        await sandbox.settle()
        assert state(sandbox, BOB)[1] == 2


class TestEmail:
    async def test_a_mail_is_row_then_attachments_then_status(self, sandbox, webapi) -> None:
        email = "emails(11111111-2222-4333-8444-555555555555)"
        body = {
            "subject": "Hello",
            "directioncode": False,
            "messageid": "<1@fabrikam.com>",
            "email_activity_parties": [
                {"addressused": "customer@fabrikam.com", "participationtypemask": 1},
                {
                    "partyid_systemuser@odata.bind": f"/systemusers({ANNA.user_id})",
                    "participationtypemask": 2,
                },
            ],
        }
        once = {"If-None-Match": "*"}
        assert (await webapi("admin", "PATCH", email, json=body, headers=once)).status_code == 204
        again = await webapi("admin", "PATCH", email, json=body, headers=once)
        assert again.status_code == 412
        file = {
            "objectid_activitypointer@odata.bind": f"/activitypointers({email[7:-1]})",
            "objecttypecode": "email",
            "filename": "a.txt",
            "mimetype": "text/plain",
            "body": base64.b64encode(b"abc").decode(),
        }
        added = await webapi("admin", "POST", "activitymimeattachments", json=file)
        assert added.status_code == 204, added.text
        done = await webapi("admin", "PATCH", email, json={"statecode": 1, "statuscode": 4})
        assert done.status_code == 204
        late = await webapi("admin", "PATCH", email, json={"subject": "Changed"})
        assert late.status_code == 400
        late = await webapi("admin", "POST", "activitymimeattachments", json=file)
        assert late.status_code == 400
        shown = await webapi("admin", "GET", f"{email}?$expand=email_activity_parties")
        row = shown.json()
        assert (row["statecode"], row["attachmentcount"]) == (1, 1)
        parties = {one["participationtypemask"]: one for one in row["email_activity_parties"]}
        assert parties[2]["_partyid_value"] == ANNA.user_id
        assert parties[2]["addressused"] == ANNA.address

    async def test_a_status_of_another_state_is_refused(self, webapi) -> None:
        body = {"subject": "x", "statecode": 0, "statuscode": 4}
        answer = await webapi("admin", "POST", "emails", json=body)
        assert answer.json()["error"]["code"] == "0x80048408"

    async def test_a_long_subject_is_refused(self, webapi) -> None:
        answer = await webapi("admin", "POST", "emails", json={"subject": "x" * 201})
        assert answer.json()["error"]["code"] == "0x80044331"
