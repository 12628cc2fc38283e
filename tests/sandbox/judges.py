"""Clients that were not written here. Each uses the sandbox as it would use the service."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import warnings
from collections.abc import AsyncIterator
from typing import Any

import httpx
from azure.core.credentials import AccessToken
from PowerPlatform.Dataverse.client import DataverseClient

from sandbox import people
from sandbox.server import Sandbox
from tests.sandbox.msal_judge import (
    app_token,
    msal_certificate,
    msal_code_flow,
    msal_device_flow,
    msal_person,
    msal_secret,
    trusting_session,
)

with warnings.catch_warnings():
    # The SDK warns about itself while it is imported.
    warnings.simplefilter("ignore")
    from kiota_abstractions.authentication import AuthenticationProvider
    from kiota_abstractions.base_request_configuration import RequestConfiguration
    from msgraph import GraphRequestAdapter, GraphServiceClient
    from msgraph.generated.models.body_type import BodyType
    from msgraph.generated.models.email_address import EmailAddress
    from msgraph.generated.models.file_attachment import FileAttachment
    from msgraph.generated.models.item_body import ItemBody
    from msgraph.generated.models.message import Message
    from msgraph.generated.models.o_data_errors.o_data_error import ODataError
    from msgraph.generated.models.recipient import Recipient
    from msgraph.generated.users.item.mailbox_settings.mailbox_settings_request_builder import (
        MailboxSettingsRequestBuilder,
    )
    from msgraph.generated.users.item.messages.item.move.move_post_request_body import (
        MovePostRequestBody,
    )
    from msgraph.generated.users.item.send_mail.send_mail_post_request_body import (
        SendMailPostRequestBody,
    )
    from msgraph.generated.users.item.user_item_request_builder import UserItemRequestBuilder
    from msgraph.generated.users.users_request_builder import UsersRequestBuilder
    from msgraph_core import GraphClientFactory

SdkError = ODataError
IMMUTABLE = 'IdType="ImmutableId"'


class _Bearer(AuthenticationProvider):
    def __init__(self, token: str) -> None:
        self.token = token

    async def authenticate_request(
        self, request: Any, additional_authentication_context: Any = None
    ) -> None:
        request.headers.add("Authorization", f"Bearer {self.token}")


class GraphJudge:
    """Microsoft's SDK for Graph, pointed at the sandbox."""

    def __init__(self, client: GraphServiceClient, transport: httpx.AsyncHTTPTransport) -> None:
        # The SDK wraps the transport and does not close it.
        self.client, self.transport = client, transport

    @classmethod
    async def of(cls, sandbox: Sandbox, *, identity: Any = None) -> GraphJudge:
        token = await app_token(sandbox, identity or sandbox.sync_identity, sandbox.graph_url)
        base = f"{sandbox.graph_url}/v1.0"
        context = ssl.create_default_context(cafile=str(sandbox.ca_bundle_file))
        transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False)
        raw = httpx.AsyncClient(base_url=base, transport=transport, timeout=30, trust_env=False)
        adapter = GraphRequestAdapter(
            _Bearer(token), GraphClientFactory.create_with_default_middleware(client=raw)
        )
        adapter.base_url = base
        return cls(GraphServiceClient(request_adapter=adapter), transport)

    @classmethod
    @contextlib.asynccontextmanager
    async def at(cls, sandbox: Sandbox, *, identity: Any = None) -> AsyncIterator[GraphJudge]:
        judge = await cls.of(sandbox, identity=identity)
        try:
            yield judge
        finally:
            await judge.transport.aclose()


def preferring(*values: str) -> Any:
    configuration: Any = RequestConfiguration()
    for value in values:
        configuration.headers.add("Prefer", value)
    return configuration


async def read_inbox(judge: GraphJudge, object_id: str, *, size: int = 7) -> tuple[list[Any], str]:
    """Follow one delta round to its end; return its items and the delta link."""
    folder = judge.client.users.by_user_id(object_id).mail_folders.by_mail_folder_id("inbox")
    configuration = preferring(IMMUTABLE, f"odata.maxpagesize={size}")
    page = await folder.messages.delta.get(configuration)
    items: list[Any] = []
    while True:
        assert page is not None
        items += page.value or []
        if page.odata_delta_link:
            return items, page.odata_delta_link
        assert page.odata_next_link is not None
        page = await folder.messages.delta.with_url(page.odata_next_link).get(configuration)


async def graph_directory(sandbox: Sandbox) -> None:
    """Walk users, roles and the tenant."""
    async with GraphJudge.at(sandbox, identity=sandbox.guard_identity) as judge:
        await _walk_directory(judge.client)


async def _walk_directory(client: GraphServiceClient) -> None:
    admin = people.EXCHANGE_ADMIN
    user = await client.users.by_user_id(admin.address).get()
    assert user is not None
    assert user.id == admin.object_id
    query = UsersRequestBuilder.UsersRequestBuilderGetQueryParameters(
        filter="proxyAddresses/any(p:p eq 'smtp:anna.sales@contoso.com')",
        count=True,
        select=["id", "proxyAddresses"],
    )
    configuration: Any = RequestConfiguration(query_parameters=query)
    configuration.headers.add("ConsistencyLevel", "eventual")
    found = await client.users.get(configuration)
    assert found is not None
    assert [one.id for one in found.value or []] == [people.ANNA.object_id]
    assert found.odata_count == 1
    assert await client.groups.get() is not None
    assert await client.contacts.get() is not None
    assert await client.directory.deleted_items.graph_user.get() is not None
    assert await client.directory.deleted_items.graph_group.get() is not None
    builder = client.users.by_user_id(admin.object_id)
    await _walk_licences(client)
    templates = await client.directory_role_templates.get()
    assert templates is not None
    assert "Exchange Administrator" in {one.display_name for one in templates.value or []}
    roles = await builder.transitive_member_of.graph_directory_role.get()
    assert roles is not None
    assert [one.display_name for one in roles.value or []] == ["Exchange Administrator"]
    assert await builder.transitive_member_of.graph_group.get() is not None
    assert await builder.transitive_member_of.get() is not None
    assert await builder.member_of.get() is not None
    await _walk_mailbox_settings(client)
    every = await client.directory_roles.get()
    assert every is not None
    role = (every.value or [])[0]
    one = await client.directory_roles.by_directory_role_id(str(role.id)).get()
    assert one is not None
    assert one.role_template_id == role.role_template_id
    assert await client.directory_roles.by_directory_role_id(str(role.id)).members.get()
    assert await client.organization.get() is not None


async def _walk_licences(client: GraphServiceClient) -> None:
    query = UserItemRequestBuilder.UserItemRequestBuilderGetQueryParameters(
        select=["id", "assignedLicenses", "assignedPlans"]
    )
    configuration: Any = RequestConfiguration(query_parameters=query)
    user = await client.users.by_user_id(people.ANNA.object_id).get(configuration)
    assert user is not None
    (plan,), (licence,) = user.assigned_plans or (), user.assigned_licenses or ()
    assert (plan.service, plan.capability_status) == ("exchange", "Enabled")
    assert plan.service_plan_id is not None
    assert plan.assigned_date_time is not None
    assert licence.sku_id is not None
    assert licence.disabled_plans == []


async def _walk_mailbox_settings(client: GraphServiceClient) -> None:
    everything = await client.users.by_user_id(people.ANNA.object_id).mailbox_settings.get()
    assert everything is not None
    assert everything.user_purpose is not None
    assert everything.user_purpose.value == "user"
    assert everything.automatic_replies_setting is not None
    assert everything.automatic_replies_setting.status is not None
    assert everything.working_hours is not None
    assert len(everything.working_hours.days_of_week or []) == 5
    query = MailboxSettingsRequestBuilder.MailboxSettingsRequestBuilderGetQueryParameters(
        select=["userPurpose"]
    )
    configuration: Any = RequestConfiguration(query_parameters=query)
    shared = client.users.by_user_id(people.SUPPORT_OBJECT_ID).mailbox_settings
    purpose = await shared.get(configuration)
    assert purpose is not None
    assert purpose.user_purpose is not None
    assert purpose.user_purpose.value == "shared"
    assert purpose.automatic_replies_setting is None


async def graph_mail(sandbox: Sandbox) -> None:
    """Read, create, change, move, send and delete mail."""
    async with GraphJudge.at(sandbox) as judge:
        await _walk_mail(judge)


async def _walk_mail(judge: GraphJudge) -> None:
    owner = people.BOB.object_id
    builder = judge.client.users.by_user_id(owner)
    folders = await builder.mail_folders.get()
    assert folders is not None
    assert await builder.mail_folders.delta.get() is not None
    inbox = await builder.mail_folders.by_mail_folder_id("inbox").get()
    assert inbox is not None
    assert inbox.total_item_count == 30
    items, link = await read_inbox(judge, owner)
    assert len(items) == 30
    messages = builder.mail_folders.by_mail_folder_id("inbox").messages
    listed = await messages.get()
    assert listed is not None
    assert len(listed.value or []) == 10
    carrying = next(one for one in items if one.has_attachments)
    within = await messages.by_message_id(carrying.id).get(preferring(IMMUTABLE))
    assert within is not None
    await graph_attachments(builder, carrying.id)
    await graph_writes(builder)
    page = await messages.delta.with_url(link).get(preferring(IMMUTABLE))
    assert page is not None
    subjects = [one.subject for one in page.value or []]
    assert "Filed at once" in subjects


async def graph_attachments(builder: Any, message_id: str) -> None:
    message = builder.messages.by_message_id(message_id)
    assert await message.get() is not None
    files = await message.attachments.get()
    first = files.value[0]
    again = await message.attachments.by_attachment_id(first.id).get()
    assert isinstance(again, FileAttachment)
    assert again.content_bytes
    assert await message.content.get()


def draft(subject: str, *, to: str) -> Message:
    return Message(
        subject=subject,
        body=ItemBody(content_type=BodyType.Text, content="Words."),
        to_recipients=[Recipient(email_address=EmailAddress(address=to))],
    )


async def graph_writes(builder: Any) -> None:
    inbox = builder.mail_folders.by_mail_folder_id("inbox")
    filed = await inbox.messages.post(draft("Filed at once", to="anna@contoso.com"))
    assert filed.id
    made = await builder.messages.post(draft("A draft", to="anna@contoso.com"))
    assert made.is_draft
    changed = await builder.messages.by_message_id(made.id).patch(Message(subject="A better draft"))
    assert changed.subject == "A better draft"
    file = FileAttachment(
        odata_type="#microsoft.graph.fileAttachment",
        name="a.txt",
        content_type="text/plain",
        content_bytes=b"YQ==",
    )
    await builder.messages.by_message_id(made.id).attachments.post(file)
    await builder.messages.by_message_id(made.id).send.post()
    body = SendMailPostRequestBody(message=draft("At once", to="anna@contoso.com"))
    await builder.send_mail.post(body)
    moved = await builder.messages.by_message_id(filed.id).move.post(
        MovePostRequestBody(destination_id="archive")
    )
    assert moved.id != filed.id
    back = await builder.messages.by_message_id(moved.id).move.post(
        MovePostRequestBody(destination_id="inbox")
    )
    extra = await builder.messages.post(draft("To be deleted", to="anna@contoso.com"))
    await builder.messages.by_message_id(extra.id).delete()
    assert await builder.messages.get() is not None
    assert back.subject == "Filed at once"


class _Credential:
    def __init__(self, token: str) -> None:
        self.token = token

    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken(self.token, 4_102_444_800)


async def dataverse_client(sandbox: Sandbox) -> None:
    """Create, read, change, list and delete rows with Microsoft's client."""
    token = await app_token(sandbox, sandbox.sync_identity, sandbox.dataverse_url)

    def work() -> None:
        with trusting_session(sandbox) as session:
            client = DataverseClient(sandbox.dataverse_url, _Credential(token))
            od = client._get_odata()
            od._http._session = session
            email_id = client.records.create("email", {"subject": "By the client"})
            row = client.records.retrieve("email", email_id, select=["subject"])
            assert row is not None
            assert row["subject"] == "By the client"
            client.records.update("email", email_id, {"subject": "Changed", "prioritycode": "High"})
            again = client.records.retrieve("email", email_id, select=["subject", "prioritycode"])
            assert again is not None
            assert again["prioritycode"] == 2
            many = client.records.create("email", [{"subject": "One"}, {"subject": "Two"}])
            client.records.update("email", many, {"subject": "Both"})
            found = [
                one
                for page in client.records.list_pages(
                    "email", filter="subject eq 'Both'", select=["subject"], page_size=1
                )
                for one in page
            ]
            assert len(found) == 2
            item = {
                "alternate_key": {"emailaddress1": "o'hara@fabrikam.com"},
                "record": {"fullname": "X"},
            }
            client.records.upsert("contact", [item])
            account = client.records.create("account", {"name": "Fabrikam Ltd"})
            client.records.update("account", account, {"telephone1": "555-0199"})
            shown = client.records.retrieve("account", account, select=["name", "telephone1"])
            assert shown is not None
            assert (shown["name"], shown["telephone1"]) == ("Fabrikam Ltd", "555-0199")
            person = {"firstname": "Sample", "lastname": "Contact", "jobtitle": "Buyer"}
            client.records.delete("contact", client.records.create("contact", person))
            client.records.delete("account", account)
            client.records.upsert("contact", [item])
            written = client.records.list("contact", select=["fullname", "emailaddress1"])
            assert [one["emailaddress1"] for one in written] == ["o'hara@fabrikam.com"]
            client.records.delete("email", email_id)
            assert client.records.retrieve("email", email_id) is None

    await asyncio.to_thread(work)


async def documented_requests(sandbox: Sandbox) -> None:
    """Send what the documentation writes out, where no client of Microsoft reaches."""
    token = await app_token(sandbox, sandbox.guard_identity, sandbox.dataverse_url)
    base = f"{sandbox.dataverse_url}/api/data/v9.2"
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json",
        "OData-MaxVersion": "4.0",
        "OData-Version": "4.0",
        "If-None-Match": "null",
    }
    context = sandbox.certificates.client_context()
    async with httpx.AsyncClient(verify=context, headers=headers) as client:

        async def ask(method: str, path: str, status: int, **options: Any) -> Any:
            answer = await client.request(method, f"{base}/{path}", **options)
            assert answer.status_code == status, answer.text
            return answer.json() if answer.content else answer

        me = await ask("GET", "WhoAmI", 200)
        user, role = f"systemusers({me['UserId']})", people.role_id(people.DELEGATE)
        crm = "Microsoft.Dynamics.CRM"
        by_name = (
            "RetrieveUserPrivilegeByPrivilegeName(PrivilegeName='prvApproveRejectEmailAddress')"
        )
        assert (await ask("GET", f"{user}/{crm}.{by_name}", 200))["RolePrivileges"]
        welcome = {
            "Title": "Welcome",
            "Body": "Welcome to the world of app notifications!",
            "Recipient": f"/systemusers({people.ANNA.user_id})",
            "IconType": 100000000,
            "ToastType": 200000000,
        }
        assert (await ask("POST", "SendAppNotification", 200, json=welcome))["NotificationId"]
        link = f"{user}/systemuserroles_association"
        await ask("POST", f"{link}/$ref", 204, json={"@odata.id": f"{base}/roles({role})"})
        await ask("GET", f"{link}?$select=roleid,name,_parentrootroleid_value", 200)
        await ask("DELETE", f"{link}({role})/$ref", 204)
        await ask(
            "GET", "EntityDefinitions(LogicalName='mailbox')?$select=ChangeTrackingEnabled", 200
        )
        endpoint = await ask(
            "POST",
            "serviceendpoints",
            201,
            headers={"Prefer": "return=representation"},
            json={
                "name": "mailbox-approval-guard",
                "url": "https://guard.example.com/hooks/dataverse",
                "contract": 8,
                "authtype": 5,
                "authvalue": '<settings><setting name="x-guard-key" value="k"/></settings>',
            },
        )
        assert "authvalue" not in endpoint
    async with httpx.AsyncClient(verify=context) as client:
        metadata = await client.get(
            f"{sandbox.authority_url}/v2.0/.well-known/openid-configuration"
        )
        assert (await client.get(metadata.json()["jwks_uri"])).json()["keys"]
        owner = people.BOB.object_id
        token = await app_token(sandbox, sandbox.sync_identity, sandbox.graph_url)
        client.headers["Authorization"] = f"Bearer {token}"
        users = f"{sandbox.graph_url}/v1.0/users/{owner}"
        wanted = "hasAttachments eq true and startswith(subject,'Order')"
        listed = (await client.get(f"{users}/messages?$filter={wanted}")).json()
        message = listed["value"][0]["id"]
        files = (await client.get(f"{users}/messages/{message}/attachments")).json()["value"]
        raw = await client.get(f"{users}/messages/{message}/attachments/{files[0]['id']}/$value")
        assert raw.content.startswith(b"order;quantity")


async def people_sign_in(sandbox: Sandbox) -> dict[str, Any]:
    """Sign a person in by a device code with msal, and another by the ready token."""
    origin = sandbox.authority_url.rsplit("/", 1)[0]
    flow, finish = await msal_device_flow(sandbox)
    async with httpx.AsyncClient(verify=sandbox.certificates.client_context()) as client:
        page = await client.get(flow["verification_uri"])
        assert people.BOB.address in page.text
        form = {"user_code": flow["user_code"], "upn": people.BOB.address}
        assert (await client.post(flow["verification_uri"], data=form)).status_code == 200
        ready = await client.get(f"{origin}/sandbox/token?person={people.ANNA.address}")
        assert ready.text.count(".") == 2
        signed_in = await msal_code_flow(sandbox, "approver", client)
        assert signed_in["id_token_claims"]["roles"] == ["Approver"]
    return await finish()


async def all_judges(sandbox: Sandbox) -> None:
    assert "access_token" in await people_sign_in(sandbox)
    assert "access_token" in await msal_secret(sandbox)
    assert "access_token" in await msal_certificate(sandbox, thumbprint=False)
    assert "access_token" in await msal_certificate(sandbox, thumbprint=True)
    assert "access_token" in await msal_person(sandbox, "anna", password=people.PASSWORD)
    await graph_directory(sandbox)
    await graph_mail(sandbox)
    await dataverse_client(sandbox)
    await documented_requests(sandbox)
