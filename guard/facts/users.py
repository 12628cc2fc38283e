"""Who a user row is: what it names in Entra, held against the copy of it that is known good.

The identity columns of a user row say who somebody is, so they are believed only where a decision
allowed them. A row that names somebody else than its good copy is nobody until that was judged:
its owner then approves nothing, and nothing is approved for it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from guard.columns.compare import is_equal
from guard.columns.table import SYSTEMUSER
from guard.errors import IdentityInDoubt
from guard.ledger.entry import MirrorRow
from guard.ports.directory import Directory, Person
from guard.ports.rows import Rows, UserRow
from rules.model.change import Value

Mirrored = Callable[[str, str], Awaitable[MirrorRow | None]]
IDENTITY = ("domainname", "azureactivedirectoryobjectid", "applicationid")


@dataclass(frozen=True, slots=True)
class Users:
    """The users of Dataverse, each only while its identity is the one that is known good."""

    rows: Rows
    mirrored: Mirrored

    async def user(self, user_id: str) -> UserRow | None:
        """Return a user; None when there is none.

        Raises IdentityInDoubt while its row names somebody else than the good copy, and a
        GuardError when there is no answer.
        """
        user = await self.rows.user(user_id)
        if user is not None:
            known = await self.mirrored(SYSTEMUSER.name, user_id)
            if known is not None:
                held_to_copy(user, known.columns)
        return user

    async def others_named(self, user: UserRow) -> tuple[UserRow, ...]:
        """Return the other user rows that name the same Entra object, or the same sign-in name."""
        if user.object_id is None and user.upn is None:
            return ()
        found = await self.rows.users_named(object_id=user.object_id, upn=user.upn)
        return tuple(one for one in found if one.id != user.id)


def held_to_copy(user: UserRow, known: Mapping[str, Value]) -> None:
    """Raise IdentityInDoubt unless a row names whom its good copy names, as far as it is known."""
    shown = dict(zip(IDENTITY, (user.upn, user.object_id, user.application_id), strict=True))
    for name, value in shown.items():
        if name in known and not is_equal(value, known[name]):
            raise IdentityInDoubt(
                f"The {name} of the user {user.id} is not the one that was last allowed.",
                hint="It is judged within a minute; restore it, or have the change allowed first.",
                record_id=user.id,
            )


def user_from(user_id: str, columns: Mapping[str, Value]) -> UserRow:
    """Return the user that the columns of a systemuser row describe."""
    upn, object_id, application_id = (
        value if isinstance(value := columns.get(name), str) and value else None
        for name in IDENTITY
    )
    return UserRow(user_id, upn, object_id, application_id)


async def person_of(directory: Directory, user: UserRow) -> Person | None:
    """Return the Entra object of a Dataverse user: by object id, else by UPN."""
    key = user.object_id or user.upn
    return None if key is None else await directory.person(key)
