"""Whose an address is: the objects of Entra that hold it, and what else carries it.

The other way round, a list names a person by the object id or by any address of theirs.

An address is that of the user who has it as sign-in name or proxy address, which are unique in a
tenant. `mail` alone is a text that anybody who administers users may put on any of them, so it
counts only where no user has the address as their own. Groups and contacts come after users, what
was deleted comes last: neither takes an address from a user who holds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from guard.ports.directory import Directory, HolderType, Person
from kernel.errors import Conflict

_TAG = "+"


@dataclass(frozen=True, slots=True)
class Holders:
    """Whose an address is, several if that is not plain, and what carries it beside them."""

    whose: tuple[Person, ...] = ()
    others: tuple[Person, ...] = ()

    @property
    def only(self) -> Person | None:
        """Return the single one whose it is."""
        return self.whose[0] if len(self.whose) == 1 else None

    @property
    def names(self) -> tuple[str, ...]:
        """Return everything by which a list may name them: object ids and all their addresses."""
        everybody = (*self.whose, *self.others)
        return tuple(
            dict.fromkeys(name for one in everybody for name in (one.object_id, *one.addresses))
        )


def whose(found: Iterable[Person], address: str) -> Holders:
    """Return whose an address is among those that hold it. Pure."""
    holding = [one for one in found if one.holds(address)]
    users = [one for one in holding if one.type is HolderType.USER and not one.is_deleted]
    for rank in (
        [one for one in users if one.owns(address)],
        users,
        [one for one in holding if not one.is_deleted],
        holding,
    ):
        if rank:
            return Holders(tuple(rank), tuple(one for one in holding if one not in rank))
    return Holders()


def untagged(address: str) -> str | None:
    """Return the address without the tag behind a plus, which Exchange delivers to; else None."""
    local, at, domain = address.rpartition("@")
    base = local.partition(_TAG)[0]
    return f"{base}{at}{domain}" if base and base != local else None


async def names_of(person: Person, directory: Directory) -> tuple[str, ...]:
    """Return everything by which a list may name a user: the object id and each address of theirs.

    Raises Conflict where it is not plain whether the `mail` is theirs, and a GuardError when there
    is no answer.
    """
    names = [person.object_id, *replace(person, mail=None).addresses]
    if person.mail is not None and not person.owns(person.mail):
        others = (
            one
            for one in await directory.holders_of(person.mail)
            if one.object_id != person.object_id
        )
        holders = whose((person, *others), person.mail)
        if holders.only is person:
            names.append(person.mail)
        elif person in holders.whose:
            raise Conflict("The mail of this user is that of another one too, and no one's own.")
    return tuple(dict.fromkeys(names))


async def users_holding(address: str, directory: Directory) -> Holders:
    """Return which users an address is of, by the index; by any spelling that reaches them."""
    for spelling in (address, untagged(address)):
        if spelling is not None:
            holders = whose(await directory.holders_of(spelling), spelling)
            if holders.whose:
                return holders
    return Holders()
