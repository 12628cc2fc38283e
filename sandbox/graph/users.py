"""The directory through Graph: users, their roles and groups, the tenant."""

from __future__ import annotations

from typing import Any

from sandbox.directory import Directory, DirectoryRole, Group, Person
from sandbox.graph.asking import Answer, Ask, Served, demand, serve
from sandbox.graph.listing import chosen, listed, page_of
from sandbox.graph.mailboxes import Exchange, Mailbox
from sandbox.graph.messages import graph_time
from sandbox.graph.problems import no_mailbox, no_such_object

READ_USERS = (
    "User.Read.All",
    "User.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
)
_READ_ROLES = ("RoleManagement.Read.Directory", "Directory.Read.All", "Directory.ReadWrite.All")
_DEFAULT = (
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
)
# Exchange Online (Plan 1): the licence and its plan, by the ids that Microsoft lists.
_EXCHANGE_LICENCE = "4b9405b0-7788-4568-add1-99614e613b69"
_EXCHANGE_PLAN = "9aaf7827-d63c-4b61-89c3-182f06f82e5c"


def person_json(person: Person) -> dict[str, Any]:
    """Return every property of a user."""
    return {
        "businessPhones": [],
        "displayName": person.display_name,
        "givenName": None,
        "jobTitle": person.display_name,
        "mail": person.mail,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": None,
        "userPrincipalName": person.upn,
        "id": person.id,
        "accountEnabled": person.account_enabled,
        "proxyAddresses": list(person.proxy_addresses),
        "otherMails": list(person.other_mails),
        "userType": person.user_type,
        **_licences(person),
        "identities": [
            {
                "signInType": "userPrincipalName",
                "issuer": person.upn.rpartition("@")[2],
                "issuerAssignedId": person.upn,
            }
        ],
        "onPremisesSyncEnabled": None,
        "onPremisesImmutableId": None,
        "createdDateTime": graph_time(person.created_at),
        "deletedDateTime": None,
        "creationType": None,
        "externalUserState": None,
        "mailNickname": person.upn.partition("@")[0],
    }


def _licences(person: Person) -> dict[str, Any]:
    """Return the licences of a user, and the service plans that they are made of."""
    if not person.has_exchange_plan:
        return {"assignedLicenses": [], "assignedPlans": []}
    plan = {
        "assignedDateTime": graph_time(person.created_at),
        "capabilityStatus": "Enabled",
        "service": "exchange",
        "servicePlanId": _EXCHANGE_PLAN,
    }
    licence = {"disabledPlans": [], "skuId": _EXCHANGE_LICENCE}
    return {"assignedLicenses": [licence], "assignedPlans": [plan]}


def role_json(role: DirectoryRole) -> dict[str, Any]:
    """Return a directory role."""
    return {
        "id": role.id,
        "deletedDateTime": None,
        "description": role.description,
        "displayName": role.display_name,
        "roleTemplateId": role.template_id,
    }


def group_json(group: Group) -> dict[str, Any]:
    """Return a group."""
    return {
        "id": group.id,
        "deletedDateTime": None,
        "displayName": group.display_name,
        "mail": group.mail,
        "mailEnabled": group.mail is not None,
        "mailNickname": group.display_name.replace(" ", ""),
        "proxyAddresses": list(group.proxy_addresses),
        "securityEnabled": True,
        "isAssignableToRole": bool(group.role_template_ids),
    }


def settings_json(mailbox: Mailbox) -> dict[str, Any]:
    """Return every setting of a mailbox whose owner has never touched one."""
    archive = mailbox.folder("archive")
    never = {"dateTime": "2026-01-01T00:00:00.0000000", "timeZone": "UTC"}
    return {
        "archiveFolder": archive.id if archive else None,
        "automaticRepliesSetting": {
            "status": "disabled",
            "externalAudience": "all",
            "scheduledStartDateTime": never,
            "scheduledEndDateTime": never,
            "internalReplyMessage": "",
            "externalReplyMessage": "",
        },
        "dateFormat": "yyyy-MM-dd",
        "delegateMeetingMessageDeliveryOptions": "sendToDelegateOnly",
        "language": {"locale": "en-US", "displayName": "English (United States)"},
        "timeFormat": "HH:mm",
        "timeZone": "UTC",
        "userPurpose": mailbox.purpose,
        "workingHours": {
            "daysOfWeek": ["monday", "tuesday", "wednesday", "thursday", "friday"],
            "startTime": "08:00:00.0000000",
            "endTime": "17:00:00.0000000",
            "timeZone": {"name": "UTC"},
        },
    }


class Users:
    """Handlers of the directory."""

    def __init__(self, directory: Directory, exchange: Exchange) -> None:
        self._directory, self._exchange = directory, exchange

    def routes(self) -> list[Served]:
        """Return what is served here."""
        user = "/users/{user}"
        return [
            serve("GET", "/users", self._list),
            serve("GET", user, self._get),
            serve("GET", f"{user}/transitiveMemberOf", self._member_of),
            serve("GET", f"{user}/transitiveMemberOf/directoryRole", self._roles),
            serve("GET", f"{user}/transitiveMemberOf/group", self._groups),
            serve("GET", f"{user}/memberOf", self._member_of),
            serve("GET", f"{user}/mailboxSettings", self._mailbox_settings),
            serve("GET", "/directoryRoles", self._all_roles),
            serve("GET", "/directoryRoles/{role}", self._role),
            serve("GET", "/directoryRoles/{role}/members", self._role_members),
            serve("GET", "/directoryRoleTemplates", self._role_templates),
            serve("GET", "/organization", self._organization),
        ]

    def _person(self, ask: Ask) -> Person:
        key = ask.variables["user"]
        person = self._directory.person(key)
        if person is None:
            raise no_such_object(key)
        return person

    def _get(self, ask: Ask) -> Answer:
        demand(ask.bearer, *READ_USERS, directory=True)
        body = chosen(person_json(self._person(ask)), ask.select() or _DEFAULT)
        select = ask.options.get("$select")
        part = f"users({select})" if select else "users"
        return Answer({"@odata.context": f"{ask.base}/$metadata#{part}/$entity", **body})

    def _list(self, ask: Ask) -> Answer:
        demand(ask.bearer, *READ_USERS, directory=True)
        people = [person_json(person) for person in self._directory.people.values()]
        return listed(ask, people, "users", _DEFAULT)

    def _memberships(self, ask: Ask) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        demand(ask.bearer, *READ_USERS, directory=True)
        person = self._person(ask)
        # Without a directory permission Graph gives the objects, but keeps their names to itself.
        told = bool(ask.bearer.roles & {"Directory.Read.All", "RoleManagement.Read.Directory"})
        roles = [role_json(role) for role in self._directory.roles_of(person)]
        groups = [group_json(self._directory.groups[one]) for one in sorted(person.group_ids)]
        if not told:
            hidden = ("displayName", "description", "roleTemplateId")
            roles = [{k: (None if k in hidden else v) for k, v in r.items()} for r in roles]
        return roles, groups

    def _member_of(self, ask: Ask) -> Answer:
        roles, groups = self._memberships(ask)
        objects = [{"@odata.type": "#microsoft.graph.directoryRole", **role} for role in roles]
        objects += [{"@odata.type": "#microsoft.graph.group", **group} for group in groups]
        return page_of(ask, objects, "directoryObjects")

    def _roles(self, ask: Ask) -> Answer:
        return page_of(ask, self._memberships(ask)[0], "directoryRoles")

    def _groups(self, ask: Ask) -> Answer:
        return page_of(ask, self._memberships(ask)[1], "groups")

    def _all_roles(self, ask: Ask) -> Answer:
        demand(ask.bearer, *_READ_ROLES, directory=True)
        roles = [role_json(role) for role in self._directory.roles.values()]
        return page_of(ask, roles, "directoryRoles")

    def _role_templates(self, ask: Ask) -> Answer:
        demand(ask.bearer, *_READ_ROLES, directory=True)
        templates = [
            {
                "id": role.template_id,
                "deletedDateTime": None,
                "description": role.description,
                "displayName": role.display_name,
            }
            for role in self._directory.roles.values()
        ]
        return page_of(ask, templates, "directoryRoleTemplates")

    def _find_role(self, ask: Ask) -> DirectoryRole:
        demand(ask.bearer, *_READ_ROLES, directory=True)
        key = ask.variables["role"]
        template = key.strip("()").removeprefix("roleTemplateId=").strip("'")
        for role in self._directory.roles.values():
            if key == role.id or (key.startswith("(") and template == role.template_id):
                return role
        raise no_such_object(key)

    def _role(self, ask: Ask) -> Answer:
        body = role_json(self._find_role(ask))
        return Answer({"@odata.context": f"{ask.base}/$metadata#directoryRoles/$entity", **body})

    def _role_members(self, ask: Ask) -> Answer:
        role = self._find_role(ask)
        members = [
            {"@odata.type": "#microsoft.graph.user", **chosen(person_json(person), _DEFAULT)}
            for person in self._directory.people.values()
            if role.template_id in person.role_template_ids
        ]
        return page_of(ask, members, "directoryObjects")

    def _mailbox_settings(self, ask: Ask) -> Answer:
        demand(ask.bearer, "MailboxSettings.Read", "MailboxSettings.ReadWrite")
        person = self._person(ask)
        mailbox = self._exchange.mailboxes.get(person.id)
        if mailbox is None:
            raise no_mailbox()
        settings = settings_json(mailbox)
        context = f"{ask.base}/$metadata#users('{person.id}')/mailboxSettings"
        return Answer({"@odata.context": context, **chosen(settings, ask.select() or settings)})

    def _organization(self, ask: Ask) -> Answer:
        demand(ask.bearer, "Organization.Read.All", *READ_USERS, directory=True)
        tenant = {
            "id": self._directory.tenant_id,
            "displayName": "Contoso",
            "verifiedDomains": [
                {
                    "capabilities": "Email",
                    "isDefault": True,
                    "isInitial": False,
                    "name": self._directory.domain,
                    "type": "Managed",
                }
            ],
        }
        return page_of(ask, [tenant], "organization")
