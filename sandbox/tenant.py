"""The sample tenant: contoso.com with its directory and its organisation."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any, Protocol

from sandbox import people, seed_mail
from sandbox.dataverse.choices import APPROVED, PENDING
from sandbox.dataverse.context import Organization
from sandbox.dataverse.organization import Dataverse
from sandbox.dataverse.privileges import (
    ACT_ON_BEHALF,
    APPROVE_ADDRESSES,
    BASIC,
    BYPASS,
    BYPASS_PLUGINS,
    GLOBAL,
    SEND_NOTIFICATION,
    SYSTEM_ADMINISTRATOR_TEMPLATE,
)
from sandbox.dataverse.rows import Ref
from sandbox.directory import (
    EXCHANGE_ADMINISTRATOR,
    GLOBAL_ADMINISTRATOR,
    Application,
    Directory,
    DirectoryRole,
    Person,
)
from sandbox.graph.mailboxes import Exchange
from sandbox.people import SAMPLES, Sample, role_id, stable_id

_TABLE_WORDS = (
    *("Mailbox", "User", "Queue", "Activity", "Contact", "Account", "Customization"),
    *("Organization", "EmailServerProfile"),
    *("ServiceEndpoint", "SdkMessageProcessingStep", "SdkMessageProcessingStepImage"),
    *("AppNotification", "UserSettings"),
)
_VERBS = ("Create", "Read", "Write", "Delete")
_SPECIAL = (SEND_NOTIFICATION, APPROVE_ADDRESSES, ACT_ON_BEHALF, BYPASS, BYPASS_PLUGINS)
ALL_PRIVILEGES = (*(f"prv{verb}{word}" for word in _TABLE_WORDS for verb in _VERBS), *_SPECIAL)

# The roles that come with the platform are made from templates, whose names nobody can give.
_TEMPLATES = {
    people.SYSTEM_ADMINISTRATOR: SYSTEM_ADMINISTRATOR_TEMPLATE,
    people.DELEGATED_APPROVER: stable_id("roletemplate/delegated-mailbox-approver"),
}

_ROLES: dict[str, dict[str, int]] = {
    people.SYSTEM_ADMINISTRATOR: dict.fromkeys(ALL_PRIVILEGES, GLOBAL),
    people.DELEGATED_APPROVER: {APPROVE_ADDRESSES: GLOBAL},
    people.SERVICE_DESK: {
        "prvReadMailbox": GLOBAL,
        "prvWriteMailbox": GLOBAL,
        "prvReadUser": GLOBAL,
        "prvWriteUser": GLOBAL,
        "prvCreateUser": GLOBAL,
        "prvCreateMailbox": GLOBAL,
        "prvReadQueue": GLOBAL,
        "prvWriteQueue": GLOBAL,
        "prvCreateQueue": GLOBAL,
    },
    people.BASIC_USER: {
        "prvReadMailbox": GLOBAL,
        "prvWriteMailbox": BASIC,
        "prvReadUser": GLOBAL,
        "prvWriteUser": BASIC,
        "prvReadQueue": GLOBAL,
        "prvReadActivity": GLOBAL,
        "prvCreateActivity": BASIC,
        "prvWriteActivity": BASIC,
    },
    people.DELEGATE: {ACT_ON_BEHALF: GLOBAL},
}
_EVENTS = {
    "Create": ("mailbox", "systemuser", "queue", "email"),
    "Update": ("mailbox", "systemuser", "queue", "email"),
    "Delete": ("systemuser", "queue", "email"),
    "Assign": ("queue", "email"),
    "SetState": ("queue", "email"),
}
_CREATE_MESSAGE_ID = "9ebdbb1b-ea3e-db11-86a7-000a3a5473e8"

GUARD_GRAPH_ROLES = (
    "User.Read.All",
    "Directory.Read.All",
    "GroupMember.Read.All",
    "MailboxSettings.Read",
)
SYNC_GRAPH_ROLES = ("User.Read.All", "Mail.ReadWrite", "Mail.Send", "MailboxSettings.Read")


class Tenant(Protocol):
    """What a sandbox is filled with."""

    @property
    def guard_client_id(self) -> str:
        """The application with which the guard signs in."""
        ...

    @property
    def sync_client_id(self) -> str | None:
        """The application with which the synchroniser signs in; None where nothing is synced."""
        ...

    @property
    def approver_role_id(self) -> str:
        """The security role Delegated Mailbox Approver."""
        ...

    def directory(self) -> Directory:
        """Return the tenant's directory, anew for each sandbox."""
        ...

    def organization(self) -> Organization:
        """Return what the organisation calls itself."""
        ...

    def furnish(self, dataverse: Dataverse) -> None:
        """Fill an empty organisation."""
        ...

    def furnish_mail(self, exchange: Exchange, now: datetime) -> None:
        """Create the mailboxes, with the mail that lies in them."""
        ...


class SampleTenant:
    """contoso.com as `people` names it."""

    guard_client_id = people.GUARD_CLIENT_ID
    sync_client_id: str | None = people.SYNC_CLIENT_ID
    approver_role_id = role_id(people.DELEGATED_APPROVER)

    def directory(self) -> Directory:
        """Return the tenant's directory."""
        return directory()

    def organization(self) -> Organization:
        """Return what the organisation calls itself."""
        return organization()

    def furnish(self, dataverse: Dataverse) -> None:
        """Fill an empty organisation with the sample tenant."""
        furnish(dataverse)

    def furnish_mail(self, exchange: Exchange, now: datetime) -> None:
        """Create the mailboxes of the sample people, with some mail."""
        seed_mail.furnish(exchange, now)


def directory() -> Directory:
    """Return the tenant's directory."""
    found = Directory(people.TENANT_ID, people.DOMAIN)
    for template, name, text in (
        (GLOBAL_ADMINISTRATOR, "Global Administrator", "Can manage all aspects of Entra ID."),
        (EXCHANGE_ADMINISTRATOR, "Exchange Administrator", "Can manage all aspects of Exchange."),
    ):
        role = DirectoryRole(stable_id(f"directoryrole/{template}"), template, name, text)
        found.roles[role.id] = role
    for sample in SAMPLES:
        found.people[sample.object_id] = person_of(sample)
    found.people[people.SUPPORT_OBJECT_ID] = Person(
        id=people.SUPPORT_OBJECT_ID,
        upn=f"support@{people.DOMAIN}",
        display_name="Support (shared mailbox)",
        mail=f"support@{people.DOMAIN}",
        proxy_addresses=[f"SMTP:support@{people.DOMAIN}"],
        account_enabled=False,
        # A shared mailbox needs no licence.
        has_exchange_plan=False,
    )
    for client_id, name, roles in (
        (people.GUARD_CLIENT_ID, "Mailbox Guard", GUARD_GRAPH_ROLES),
        (people.SYNC_CLIENT_ID, "Mailbox Guard Sync", SYNC_GRAPH_ROLES),
        (people.PUBLIC_CLIENT_ID, "Sample client", ()),
    ):
        found.applications[client_id] = Application(
            client_id=client_id,
            object_id=stable_id(f"serviceprincipal/{client_id}"),
            display_name=name,
            secrets={secrets.token_urlsafe(24)},
            graph_roles=set(roles),
        )
    guard = found.applications[people.GUARD_CLIENT_ID]
    guard.redirect_uris.add(people.CONSOLE_RETURN)
    guard.app_roles.update({person: set(roles) for person, roles in people.APP_ROLES.items()})
    return found


def person_of(sample: Sample) -> Person:
    """Return a person's object in the directory."""
    others = [f"smtp:{alias}@{people.DOMAIN}" for alias in sample.aliases]
    return Person(
        id=sample.object_id,
        upn=sample.address,
        display_name=sample.title,
        mail=sample.address,
        proxy_addresses=[f"SMTP:{sample.address}", *others],
        password=people.PASSWORD,
        role_template_ids=set(sample.directory_roles),
    )


def organization() -> Organization:
    """Return what the organisation calls itself."""
    return Organization(
        id=people.ORGANIZATION_ID,
        unique_name="unqcontososandbox",
        domain_name="contoso.crm.example.com",
        business_unit_id=people.BUSINESS_UNIT_ID,
    )


def furnish(dataverse: Dataverse) -> None:
    """Fill an empty organisation with the sample tenant."""
    _furnish_ground(dataverse)
    _furnish_roles(dataverse)
    for sample in SAMPLES:
        furnish_person(dataverse, sample)
    _furnish_queue(dataverse)
    _furnish_applications(dataverse)
    furnish_events(dataverse)


def _furnish_ground(dataverse: Dataverse) -> None:
    for unit_id, name, parent in (
        (people.BUSINESS_UNIT_ID, "contoso", None),
        (people.SALES_UNIT_ID, "Sales", people.BUSINESS_UNIT_ID),
        (people.INSIDE_SALES_UNIT_ID, "Inside Sales", people.SALES_UNIT_ID),
    ):
        dataverse.insert(
            "businessunit",
            {
                "businessunitid": unit_id,
                "name": name,
                "parentbusinessunitid": Ref("businessunit", parent) if parent else None,
            },
        )
    dataverse.insert(
        "organization", {"organizationid": people.ORGANIZATION_ID, "name": "unqcontososandbox"}
    )
    dataverse.insert(
        "systemuser",
        {
            "systemuserid": people.SYSTEM_USER_ID,
            "fullname": "SYSTEM",
            "accessmode": 3,
            "islicensed": False,
            "businessunitid": Ref("businessunit", people.BUSINESS_UNIT_ID),
        },
    )
    dataverse.system_user_id = people.SYSTEM_USER_ID
    dataverse.insert(
        "emailserverprofile",
        {
            "emailserverprofileid": people.PROFILE_ID,
            "name": "Microsoft Exchange Online",
            "ownerid": Ref("systemuser", people.SYSTEM_USER_ID),
        },
    )


def _furnish_roles(dataverse: Dataverse) -> None:
    for name in ALL_PRIVILEGES:
        dataverse.insert("privilege", {"privilegeid": stable_id(f"privilege/{name}"), "name": name})
    for name, template in _TEMPLATES.items():
        dataverse.insert("roletemplate", {"roletemplateid": template, "name": name})
    for name, privileges in _ROLES.items():
        template_id = _TEMPLATES.get(name)
        dataverse.insert(
            "role",
            {
                "roleid": role_id(name),
                "name": name,
                "businessunitid": Ref("businessunit", people.BUSINESS_UNIT_ID),
                "parentrootroleid": Ref("role", role_id(name)),
                "roletemplateid": Ref("roletemplate", template_id) if template_id else None,
            },
        )
        for privilege, depth in privileges.items():
            dataverse.insert(
                "roleprivileges",
                {
                    "roleid": role_id(name),
                    "privilegeid": stable_id(f"privilege/{privilege}"),
                    "privilegedepthmask": depth,
                },
            )


def grant_role(dataverse: Dataverse, user_id: str, name: str) -> None:
    """Give a user a security role."""
    dataverse.insert("systemuserroles", {"systemuserid": user_id, "roleid": role_id(name)})


def furnish_person(dataverse: Dataverse, sample: Sample) -> None:
    """Give a person user, mailbox and roles in the organisation."""
    approval = APPROVED if sample.approved else PENDING
    routing: dict[str, Any] = {
        "emailrouteraccessapproval": approval,
        "isemailaddressapprovedbyo365admin": sample.approved,
        "incomingemaildeliverymethod": 0,
        "outgoingemaildeliverymethod": 0,
    }
    dataverse.insert(
        "systemuser",
        {
            "systemuserid": sample.user_id,
            "fullname": sample.title,
            "domainname": sample.address,
            "windowsliveid": sample.address,
            "internalemailaddress": sample.address,
            "azureactivedirectoryobjectid": sample.object_id,
            "businessunitid": Ref(
                "businessunit", people.UNIT_OF.get(sample.alias, people.BUSINESS_UNIT_ID)
            ),
            "defaultmailbox": Ref("mailbox", sample.mailbox_id),
            **routing,
        },
    )
    dataverse.insert(
        "mailbox",
        {
            "mailboxid": sample.mailbox_id,
            "name": sample.title,
            "emailaddress": sample.address,
            "regardingobjectid": Ref("systemuser", sample.user_id),
            "ownerid": Ref("systemuser", sample.user_id),
            "emailserverprofile": Ref("emailserverprofile", people.PROFILE_ID),
            **routing,
        },
    )
    # 1033 is English; everybody sets another one for themselves.
    settings = {"systemuserid": sample.user_id, "uilanguageid": 1033}
    dataverse.insert("usersettings", settings)
    for name in sample.roles:
        grant_role(dataverse, sample.user_id, name)


def _furnish_queue(dataverse: Dataverse) -> None:
    owner = Ref("systemuser", people.DESK.user_id)
    shared: dict[str, Any] = {
        "name": "Support",
        "emailaddress": f"support@{people.DOMAIN}",
        "emailrouteraccessapproval": PENDING,
        "ownerid": owner,
    }
    dataverse.insert(
        "queue",
        {
            "queueid": people.SUPPORT_QUEUE_ID,
            "defaultmailbox": Ref("mailbox", people.SUPPORT_MAILBOX_ID),
            **shared,
        },
    )
    dataverse.insert(
        "mailbox",
        {
            "mailboxid": people.SUPPORT_MAILBOX_ID,
            "regardingobjectid": Ref("queue", people.SUPPORT_QUEUE_ID),
            "emailserverprofile": Ref("emailserverprofile", people.PROFILE_ID),
            **shared,
        },
    )


def _furnish_applications(dataverse: Dataverse) -> None:
    for user_id, client_id, name in (
        (people.GUARD_USER_ID, people.GUARD_CLIENT_ID, "# Mailbox Guard"),
        (people.SYNC_USER_ID, people.SYNC_CLIENT_ID, "# Mailbox Guard Sync"),
    ):
        dataverse.insert(
            "systemuser",
            {
                "systemuserid": user_id,
                "fullname": name,
                "applicationid": client_id,
                "azureactivedirectoryobjectid": stable_id(f"serviceprincipal/{client_id}"),
                "accessmode": 4,
                "islicensed": False,
                "businessunitid": Ref("businessunit", people.BUSINESS_UNIT_ID),
            },
        )
        grant_role(dataverse, user_id, people.SYSTEM_ADMINISTRATOR)


def furnish_events(dataverse: Dataverse) -> None:
    """Put in place what steps can be registered on."""
    for message, tables in _EVENTS.items():
        message_id = (
            _CREATE_MESSAGE_ID if message == "Create" else stable_id(f"sdkmessage/{message}")
        )
        dataverse.insert("sdkmessage", {"sdkmessageid": message_id, "name": message})
        for table in tables:
            dataverse.insert(
                "sdkmessagefilter",
                {
                    "sdkmessagefilterid": stable_id(f"sdkmessagefilter/{message}/{table}"),
                    "name": f"{message} of {table}",
                    "primaryobjecttypecode": table,
                    "secondaryobjecttypecode": "none",
                    "sdkmessageid": Ref("sdkmessage", message_id),
                },
            )
