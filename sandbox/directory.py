"""The tenant's directory as Entra ID holds it: people, roles, groups, applications."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import urlsplit

from cryptography.x509 import Certificate, load_pem_x509_certificate

GLOBAL_ADMINISTRATOR = "62e90394-69f5-4237-9190-012177145e10"
EXCHANGE_ADMINISTRATOR = "29232cdf-9323-42fd-ade2-1d097af3e4de"

_CREATED = datetime(2024, 1, 15, 8, 0, tzinfo=UTC)


@dataclass(slots=True)
class Person:
    """A user object."""

    id: str
    upn: str
    display_name: str
    mail: str | None = None
    proxy_addresses: list[str] = field(default_factory=list)
    other_mails: list[str] = field(default_factory=list)
    account_enabled: bool = True
    user_type: str = "Member"
    has_exchange_plan: bool = True
    password: str = ""
    role_template_ids: set[str] = field(default_factory=set)
    group_ids: set[str] = field(default_factory=set)
    created_at: datetime = _CREATED


@dataclass(frozen=True, slots=True)
class DirectoryRole:
    """An activated directory role."""

    id: str
    template_id: str
    display_name: str
    description: str


@dataclass(slots=True)
class Group:
    """A group; a role-assignable one passes its roles on, a mail-enabled one has addresses."""

    id: str
    display_name: str
    role_template_ids: set[str] = field(default_factory=set)
    mail: str | None = None
    proxy_addresses: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Contact:
    """An organisational contact: an address outside that the address book shows."""

    id: str
    display_name: str
    mail: str | None = None
    proxy_addresses: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Application:
    """An app registration with its service principal in this tenant."""

    client_id: str
    object_id: str
    display_name: str
    secrets: set[str] = field(default_factory=set)
    expired_secrets: set[str] = field(default_factory=set)
    certificates: list[Certificate] = field(default_factory=list)
    graph_roles: set[str] = field(default_factory=set)
    redirect_uris: set[str] = field(default_factory=set)
    # Values of app roles, by the object id of the person to whom they are assigned.
    app_roles: dict[str, set[str]] = field(default_factory=dict)

    def may_return_to(self, uri: str) -> bool:
        """Return whether the redirect URI is registered; for localhost any port is."""
        parts = urlsplit(uri)
        portless = parts._replace(netloc=parts.hostname or "").geturl()
        is_local = (parts.scheme, parts.hostname) == ("http", "localhost")
        return (portless if is_local else uri) in self.redirect_uris

    def trust_certificate(self, pem: bytes | str) -> None:
        """Accept assertions signed with this certificate's key."""
        data = pem.encode() if isinstance(pem, str) else pem
        self.certificates.append(load_pem_x509_certificate(data))


@dataclass(slots=True)
class Directory:
    """Everything the tenant knows about identities."""

    tenant_id: str
    domain: str
    people: dict[str, Person] = field(default_factory=dict)
    roles: dict[str, DirectoryRole] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    contacts: dict[str, Contact] = field(default_factory=dict)
    deleted_people: dict[str, Person] = field(default_factory=dict)
    deleted_groups: dict[str, Group] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)

    def person(self, key: str) -> Person | None:
        """Return the user with this object id or user principal name; aliases do not resolve."""
        if key.lower() in self.people:
            return self.people[key.lower()]
        return next((p for p in self.people.values() if p.upn.casefold() == key.casefold()), None)

    def roles_of(self, person: Person) -> list[DirectoryRole]:
        """Return the active roles, direct and through role-assignable groups."""
        held = set(person.role_template_ids)
        for group_id in person.group_ids:
            held |= self.groups[group_id].role_template_ids
        return [role for role in self.roles.values() if role.template_id in held]

    def delete_person(self, person_id: str) -> Person:
        """Delete a user softly: it is kept thirty days, its sign-in name behind its own id."""
        person = self.people.pop(person_id)
        person.upn = f"{person.id.replace('-', '')}{person.upn}"
        self.deleted_people[person.id] = person
        return person
