"""Entra and Exchange as the guard asks them: people, who holds an address, directory roles.

Terms:

- *Object id*: the id of a user object in Entra, a GUID in lower case; the same in Exchange.
- *Key*: an object id or a UPN; reading by key is exact and never behind.
- *Index*: what a search by address goes by. It may lag behind by minutes, so whoever is found by it
  is read by key before it is believed.
- *Holding an address*: having it as UPN, mail or SMTP proxy address, without regard to case. By UPN
  or proxy address it is the object's own; `mail` alone is a text that may stand on any object.
- *Plan in force*: a service plan that works now, whoever assigned the licence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from cloud.errors import BadAnswer, NotThere, Refused
from cloud.graph import Graph, Recipient
from kernel.errors import NotFound, Unavailable
from kernel.words import DocumentedWord
from rules.operators.fields import fold

_SMTP = "smtp:"
_PLANS = ("id", "assignedPlans")
# A plan in Warning still works: it was not renewed, and its days of grace run.
_IN_FORCE = ("Enabled", "Warning")
_PURPOSE = "userPurpose"
# unknownFutureValue says nothing, nor does a purpose that came after this was written.
_PURPOSES = frozenset({"user", "linked", "shared", "room", "equipment", "others"})
_NO_MAILBOX = "Exchange Online has no mailbox of the owner."
_NO_PURPOSE = "Exchange Online does not say what the owner's mailbox is for."
_NO_PERMISSION = (
    "The app may not read what the owner's mailbox is for: MailboxSettings.Read lets it."
)


class HolderType(DocumentedWord):
    """What an object of Entra is that may hold an address (`addressOwner.type`)."""

    USER = "user", "A person's account, or one behind a shared mailbox or a room."
    GROUP = "group", "A distribution list or a Microsoft 365 group."
    CONTACT = "contact", "Somebody outside, as the address book shows them."


@dataclass(frozen=True, slots=True)
class Person:
    """An object of Entra; `addresses` are its UPN, mail and SMTP proxy addresses.

    A user, unless `type` says otherwise: groups and contacts hold addresses too, and so do objects
    that were deleted within thirty days.
    """

    object_id: str
    upn: str | None = None
    mail: str | None = None
    proxy_addresses: tuple[str, ...] = ()
    is_enabled: bool | None = None
    kind: str | None = None
    type: HolderType = HolderType.USER
    is_deleted: bool = False

    @property
    def addresses(self) -> tuple[str, ...]:
        """Return every address that the object holds; otherMails prove nothing and are left out."""
        proxies = (
            text[len(_SMTP) :]
            for text in self.proxy_addresses
            if text[: len(_SMTP)].lower() == _SMTP
        )
        return tuple(text for text in (self.upn, self.mail, *proxies) if text)

    def holds(self, address: str) -> bool:
        """Return whether the object holds the address, without case."""
        wanted = fold(address.strip())
        return any(fold(text) == wanted for text in self.addresses)

    def owns(self, address: str) -> bool:
        """Return whether the address is the object's own: its UPN or a proxy address."""
        return replace(self, mail=None).holds(address)

    def __str__(self) -> str:
        what = "" if self.type is HolderType.USER else f"{self.type.value} "
        return f"{'deleted ' if self.is_deleted else ''}{what}{self.upn or self.object_id}"


class Directory(Protocol):
    """The questions to Entra and Exchange.

    Every method raises a GuardError when there is no answer; that there is no such user is one.
    """

    async def person(self, key: str) -> Person | None:
        """Return the user with that object id or UPN, read by key; None when there is none."""
        ...

    async def holders_of(self, address: str) -> Sequence[Person]:
        """Return the users that hold an address, by the index, which may lag behind."""
        ...

    async def others_holding(self, address: str) -> Sequence[Person]:
        """Return the groups, contacts and deleted objects that hold an address, by the index."""
        ...

    async def directory_roles(self, object_id: str) -> tuple[str, ...]:
        """Return the template ids of the user's active directory roles; none for no such user."""
        ...

    async def has_exchange(self, key: str) -> bool | None:
        """Return whether the user with that object id or UPN has an Exchange plan in force.

        None when there is no such user.
        """
        ...

    async def mailbox_purpose(self, object_id: str) -> str:
        """Return what Exchange says the user's mailbox is for: `userPurpose`, as Graph spells it.

        Raises NotFound when there is no mailbox, BadAnswer when Exchange doesn't say.
        """
        ...


class MemoryDirectory:
    """An Entra of a few people, kept in memory."""

    def __init__(self, people: Iterable[Person] = ()) -> None:
        self.people = {person.object_id: person for person in people}
        self.others: list[Person] = []
        self.roles: dict[str, tuple[str, ...]] = {}
        self.unlicensed: set[str] = set()
        self.purposes: dict[str, str] = {}
        self.asked: list[str] = []
        self.is_down = False
        self.down_because = "The directory does not answer."

    def _ask(self, question: str) -> None:
        self.asked.append(question)
        if self.is_down:
            raise Unavailable(self.down_because)

    async def person(self, key: str) -> Person | None:
        """Return the person by object id or UPN."""
        self._ask(f"person {key}")
        if key in self.people:
            return self.people[key]
        return next((p for p in self.people.values() if p.upn and fold(p.upn) == fold(key)), None)

    async def holders_of(self, address: str) -> Sequence[Person]:
        """Return everybody who holds the address."""
        self._ask(f"holders_of {address}")
        return [person for person in self.people.values() if person.holds(address)]

    async def others_holding(self, address: str) -> Sequence[Person]:
        """Return what else was put in and holds the address."""
        self._ask(f"others_holding {address}")
        return [one for one in self.others if one.holds(address)]

    async def directory_roles(self, object_id: str) -> tuple[str, ...]:
        """Return the roles that were put in."""
        self._ask(f"directory_roles {object_id}")
        return self.roles.get(object_id, ())

    async def has_exchange(self, key: str) -> bool | None:
        """Return whether the person was not put among those without a licence."""
        self._ask(f"has_exchange {key}")
        wanted = fold(key)
        for person in self.people.values():
            if wanted in (fold(person.object_id), fold(person.upn or "")):
                return person.object_id not in self.unlicensed
        return None

    async def mailbox_purpose(self, object_id: str) -> str:
        """Return the purpose that was put in; everybody else's mailbox is a person's."""
        self._ask(f"mailbox_purpose {object_id}")
        if object_id not in self.people:
            raise NotFound(_NO_MAILBOX)
        return self.purposes.get(object_id, "user")


class GraphDirectory:
    """Entra through Microsoft Graph."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph

    async def person(self, key: str) -> Person | None:
        """Read the user by key."""
        found = await self._graph.user(key, reason="guard: read a person")
        return None if found is None else person_from(found)

    async def holders_of(self, address: str) -> Sequence[Person]:
        """Ask the index by UPN, mail and proxy addresses; what it adds by other ways is dropped."""
        found = await self._graph.users_by_address(
            address, reason="guard: find who holds an address"
        )
        people = [person_from(item) for item in found]
        return [person for person in people if person.holds(address)]

    async def others_holding(self, address: str) -> Sequence[Person]:
        """Ask the indexes of groups, contacts and deleted objects."""
        found = await self._graph.others_by_address(
            address, reason="guard: find what else holds an address"
        )
        others = [_other_from(one) for one in found]
        return [one for one in others if one.holds(address)]

    async def directory_roles(self, object_id: str) -> tuple[str, ...]:
        """Read the active roles, direct and through groups."""
        try:
            found = await self._graph.directory_roles(
                object_id, reason="guard: read an actor's directory roles"
            )
        except NotThere:
            return ()
        roles = (item.get("roleTemplateId") for item in found)
        return tuple(sorted({role.lower() for role in roles if isinstance(role, str)}))

    async def has_exchange(self, key: str) -> bool | None:
        """Read the user's plans by key: what licences are made of, whoever assigned them."""
        found = await self._graph.user(key, select=_PLANS, reason="guard: read a person's plans")
        if found is None:
            return None
        plans = found.get("assignedPlans")
        return any(map(_is_exchange_in_force, plans if isinstance(plans, list) else ()))

    async def mailbox_purpose(self, object_id: str) -> str:
        """Read that one setting by key; what stands beside it is the owner's own."""
        try:
            found = await self._graph.mailbox_settings(
                object_id, select=(_PURPOSE,), reason="guard: read what an owner's mailbox is for"
            )
        except NotThere as error:
            if not error.service_code:
                raise
            raise NotFound(_NO_MAILBOX) from error
        except Refused as error:
            if error.status != 403:
                raise
            raise Refused(_NO_PERMISSION, status=error.status) from error
        purpose = _text(found.get(_PURPOSE))
        if purpose is None or purpose not in _PURPOSES:
            raise BadAnswer(_NO_PURPOSE)
        return purpose


def person_from(item: Mapping[str, Any]) -> Person:
    """Return the person in a Graph user; absent properties are unknown."""
    proxies = item.get("proxyAddresses")
    enabled = item.get("accountEnabled")
    return Person(
        object_id=str(item.get("id") or "").lower(),
        upn=_text(item.get("userPrincipalName")),
        mail=_text(item.get("mail")),
        proxy_addresses=tuple(p for p in proxies if isinstance(p, str))
        if isinstance(proxies, list)
        else (),
        is_enabled=enabled if isinstance(enabled, bool) else None,
        kind=_text(item.get("userType")),
    )


def _other_from(found: Recipient) -> Person:
    person = person_from(found.item)
    upn = person.upn
    if upn is not None and found.is_deleted:
        # Entra puts the id of a deleted user before its sign-in name, to free the name.
        upn = upn.removeprefix(person.object_id.replace("-", ""))
    return replace(person, upn=upn, type=HolderType(found.kind), is_deleted=found.is_deleted)


def _is_exchange_in_force(plan: Any) -> bool:
    if not isinstance(plan, Mapping):
        return False
    service, status = _text(plan.get("service")), _text(plan.get("capabilityStatus"))
    return (service or "").lower() == "exchange" and status in _IN_FORCE


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
