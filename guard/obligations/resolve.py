"""Which Exchange mailbox an address is (docs/architecture.md, "How a mailbox becomes approved").

It is the single Entra user whose UPN, mail or proxyAddresses hold the address, confirmed by GET on
its id, because the index lags behind. A user's mailbox must be the owner's own object: the one that
the user row names by its id, and no other user row does.
"""

from __future__ import annotations

from dataclasses import dataclass

from guard.columns.owner import Owner, owner_of
from guard.columns.table import OwnerType
from guard.facts.holders import whose
from guard.facts.users import Users
from guard.ports.directory import Directory, Person
from guard.ports.rows import StoredRow, UserRow
from kernel.errors import GuardError


@dataclass(frozen=True, slots=True)
class Resolved:
    """The Exchange object of a mailbox row, and whose row it is.

    `owner_upn` and `owner_object_id` are what a user row names, None for a queue or team.
    """

    address: str
    person: Person
    owner: Owner
    owner_upn: str | None = None
    owner_object_id: str | None = None

    @property
    def owner_type(self) -> str:
        """Return the owner's type as approvals keep it."""
        return (self.owner.type or OwnerType.USER).value

    @property
    def identity(self) -> dict[str, str | None]:
        """Return who this is in Entra and in Dataverse, as the evidence of an approval keeps it."""
        return {
            "owner_upn": self.owner_upn,
            "owner_object_id": self.owner_object_id,
            "object_upn": self.person.upn,
            "object_mail": self.person.mail,
        }


@dataclass(frozen=True, slots=True)
class Unresolved:
    """Why no Exchange object can be named."""

    reason: str


async def resolve(
    row: StoredRow, address: str, *, users: Users, directory: Directory
) -> Resolved | Unresolved:
    """Return the Exchange object of a mailbox row with that address, or why there is none.

    Raises a GuardError when Entra or Dataverse can't be asked, and IdentityInDoubt while the
    owner's row names somebody else than its good copy.
    """
    owner = owner_of(row.table, row.record_id, row.columns)
    if owner is None:
        return Unresolved("The mailbox row names no owner.")
    holder = await _single_holder(address, directory)
    if isinstance(holder, Unresolved):
        return holder
    if owner.is_no_person:
        return Resolved(address, holder, owner)
    user = await users.user(owner.id)
    if user is None:
        if owner.type is None:
            # An id alone that is no user is a queue or a team: neither has an object of its own.
            return Resolved(address, holder, Owner(owner.id, OwnerType.QUEUE))
        return Unresolved(f"The owner {owner.id} is no user of Dataverse.")
    reason = await _why_not_own(user, holder, users, directory)
    if reason is not None:
        return Unresolved(reason)
    return Resolved(address, holder, Owner(owner.id, OwnerType.USER), user.upn, user.object_id)


async def _why_not_own(
    user: UserRow, holder: Person, users: Users, directory: Directory
) -> str | None:
    """Return why the holder of an address is not the one whose user row this is, if so."""
    name = user.upn or user.id
    if user.application_id is not None:
        return f"The owner {name} is an application, which has no mailbox."
    # A sign-in name is not enough: whoever may edit the row could choose it.
    if user.object_id is None:
        return f"The user row of the owner {name} names no object of Entra."
    person = await directory.person(user.object_id)
    if person is None:
        return f"The owner {name} has no object in Entra."
    if person.object_id != holder.object_id:
        return (
            f"The address belongs to the Entra user {holder.upn or holder.object_id}, not to the "
            f"owner {name}."
        )
    others = await users.others_named(user)
    if others:
        named = ", ".join(sorted(one.id for one in others))
        return f"Other user rows name the person of the owner {name} too: {named}."
    return None


async def confirmed_holders(
    address: str, directory: Directory, *, known: Person | None = None
) -> dict[str, Person]:
    """Return by object id who holds an address, everybody read by id; `known` was read already."""
    found: dict[str, Person] = {}
    if known is not None and known.holds(address):
        found[known.object_id] = known
    for candidate in await directory.holders_of(address):
        if known is not None and candidate.object_id == known.object_id:
            continue
        # The index may still name somebody from whom the address was taken.
        confirmed = await directory.person(candidate.object_id)
        if confirmed is not None and confirmed.holds(address):
            found[confirmed.object_id] = confirmed
    return found


async def _single_holder(address: str, directory: Directory) -> Person | Unresolved:
    found = await confirmed_holders(address, directory)
    holders = whose(found.values(), address)
    if holders.only is not None:
        return holders.only
    if holders.whose:
        return Unresolved(f"{len(holders.whose)} users of Entra hold the address {address}.")
    reason = f"No user of Entra holds the address {address}"
    # What a person reads is told whose it is instead; that this isn't known changes nothing.
    try:
        others = await directory.others_holding(address)
    except GuardError:
        others = ()
    named = ", ".join(sorted(map(str, others)))
    return Unresolved(f"{reason}; {named} does." if named else f"{reason}.")
