"""Dataverse as the guard asks it: guarded rows, the people's rows, roles, and one keyed write.

Terms:

- *Flat names*: columns are named as a change has them, by logical name; a lookup is two of them,
  `<column>.id` and `<column>.type` (the logical name of the table it leads to).
- *Row id*: a GUID in lower case without braces.
- *ETag*: the version of a row. A write names the one that was read, and is refused by a newer row.
- *Tag*: a text that travels with a write to every step that it triggers, by which the guard knows
  its own writes again; the reader on the other side is `own_writes`.
- *Guarded part*: a row that is read has every guarded column of its table, and those that images
  carry beside them; an empty one is None.
- *Answered at*: the moment of an answer by the clock of Dataverse, which also made `modified_at`.
  The two may be compared with each other; neither may be compared with our own clock.

Nothing here is kept from one call to the next: what is returned was read for this call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from guard.columns.table import APPROVAL, TABLES, TableRole
from kernel.clock import Clock
from kernel.errors import Conflict, GuardError, Unavailable
from rules.model.change import Value
from rules.operators.fields import fold


class RowChanged(Conflict):
    """The row is newer than the one that was read (412)."""

    code = "row-changed"


class WriteRefused(GuardError):
    """Dataverse does not let the guard write this (401, 403, or a rule of its own)."""

    code = "write-refused"
    http_status = 403
    exit_code = 1


class AddressElsewhere(WriteRefused):
    """The address of this mailbox belongs to its user or queue (0x8005E208)."""

    code = "address-elsewhere"


CLOCK_STEP = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class StoredRow:
    """The guarded part of a row as Dataverse holds it now; times are UTC, by its clock.

    `modified_by` is whose write was the last; `on_behalf_by` who made it as that user, if somebody.
    """

    table: str
    record_id: str
    etag: str
    columns: Mapping[str, Value]
    modified_at: datetime | None = None
    modified_by: str | None = None
    on_behalf_by: str | None = None
    answered_at: datetime | None = None

    @property
    def quiet_for(self) -> timedelta | None:
        """How long it had been left alone when it was read; None where that is not known."""
        if self.modified_at is None or self.answered_at is None:
            return None
        return self.answered_at - self.modified_at

    def written_at(self, asked_at: datetime) -> datetime | None:
        """Return when it was last written, by the clock by which it was asked for at that moment.

        Rather early than late: Dataverse's clock may differ from ours by minutes, and tells the
        moment of an answer to the second.
        """
        if self.quiet_for is None:
            return None
        return asked_at - self.quiet_for - CLOCK_STEP


@dataclass(frozen=True, slots=True)
class UserRow:
    """A system user as far as an actor or owner goes; what is None is known to be empty."""

    id: str
    upn: str | None = None
    object_id: str | None = None
    application_id: str | None = None
    access_mode: int | None = None


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A security role of a user; copies in business units point to their root.

    `template_name` is that of the platform's template, where it is told.
    """

    role_id: str
    name: str
    template_id: str | None = None
    root_id: str | None = None
    template_name: str | None = None


@dataclass(frozen=True, slots=True)
class BusinessUnit:
    """A business unit of the organisation; the root has no parent."""

    name: str
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Myself:
    """The organisation that answers, and the guard's own user in it."""

    organization_id: str
    user_id: str


class Rows(Protocol):
    """The questions to Dataverse, and the one write.

    Every method raises a GuardError when there is no answer; a transient one may be asked again.
    That there is no such row is an answer.
    """

    async def myself(self) -> Myself:
        """Return who the guard is (WhoAmI)."""
        ...

    async def row(self, table: str, record_id: str) -> StoredRow | None:
        """Return the guarded part of a row; None when there is no such row."""
        ...

    def pages(
        self, table: str, *, written_by: str | None = None
    ) -> AsyncIterator[Sequence[StoredRow]]:
        """Yield every row of a guarded table, page by page, each row once.

        With `written_by` only those whose last writer that user is. A row that is changed meanwhile
        may come as it was or as it is.
        """
        ...

    async def mailboxes_of(self, owner_id: str) -> Sequence[StoredRow]:
        """Return the mailboxes whose regarding user or queue this is."""
        ...

    async def user(self, user_id: str) -> UserRow | None:
        """Return a system user; None when there is none."""
        ...

    async def users_named(self, *, object_id: str | None, upn: str | None) -> Sequence[UserRow]:
        """Return the system users that name this Entra object, or this sign-in name, in any case.

        At least one of the two is given.
        """
        ...

    async def business_unit_of(self, table: str, record_id: str) -> str | None:
        """Return the id of the business unit of a user or a team; None when there is none."""
        ...

    async def business_units(self) -> Mapping[str, BusinessUnit]:
        """Return every business unit by its id."""
        ...

    async def roles_of(self, user_id: str) -> Sequence[HeldRole]:
        """Return the roles that the user holds directly."""
        ...

    async def team_roles_of(self, user_id: str) -> Sequence[HeldRole]:
        """Return the roles that the user holds through teams."""
        ...

    async def has_privilege(self, user_id: str, name: str) -> bool:
        """Return whether the user holds a privilege, whatever the way."""
        ...

    async def update(
        self, table: str, record_id: str, columns: Mapping[str, Value], *, etag: str, tag: str
    ) -> None:
        """Write columns if the row still has that etag, under a tag that the steps will see.

        Raises RowChanged when it has another, AddressElsewhere when the address belongs to the
        mailbox's user or queue, and WriteRefused for what Dataverse won't let the guard write; then
        nothing was written. After any other error it is not known whether something was.
        """
        ...


@dataclass(slots=True)
class _Held:
    columns: dict[str, Value]
    version: int = 1
    modified_at: datetime | None = None
    modified_by: str | None = None
    on_behalf_by: str | None = None


@dataclass(frozen=True, slots=True)
class RecordedWrite:
    """One write that a MemoryRows received."""

    table: str
    record_id: str
    columns: Mapping[str, Value]
    tag: str


@dataclass
class MemoryRows:
    """A Dataverse of a few rows, kept in memory; `clock` is its own, by which it dates answers."""

    identity: Myself
    clock: Clock | None = None
    users: dict[str, UserRow] = field(default_factory=dict)
    roles: dict[str, list[HeldRole]] = field(default_factory=dict)
    team_roles: dict[str, list[HeldRole]] = field(default_factory=dict)
    privileges: dict[str, set[str]] = field(default_factory=dict)
    units: dict[str, BusinessUnit] = field(default_factory=dict)
    unit_of: dict[tuple[str, str], str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    written: list[RecordedWrite] = field(default_factory=list)
    is_down: bool = False
    down_because: str = "Dataverse does not answer."
    may_write: bool = True
    may_approve: bool = True
    address_elsewhere: bool = False
    page_size: int = 2
    _rows: dict[tuple[str, str], _Held] = field(default_factory=dict)

    def put(
        self,
        table: str,
        record_id: str,
        *,
        modified_at: datetime | None = None,
        modified_by: str | None = None,
        on_behalf_by: str | None = None,
        **columns: Value,
    ) -> None:
        """Put columns into a row; `ownerid__id` stands for `ownerid.id`."""
        held = self._rows.setdefault((table, record_id), _Held({}, 0))
        held.columns.update({name.replace("__", "."): value for name, value in columns.items()})
        held.version += 1
        held.modified_at = modified_at or held.modified_at
        held.modified_by, held.on_behalf_by = modified_by, on_behalf_by

    def remove(self, table: str, record_id: str) -> None:
        """Delete a row."""
        del self._rows[table, record_id]

    def _ask(self, question: str) -> None:
        self.asked.append(question)
        if self.is_down:
            raise Unavailable(self.down_because)

    async def myself(self) -> Myself:
        """Return the identity that was given."""
        self._ask("myself")
        return self.identity

    def _stored(self, table: str, record_id: str) -> StoredRow | None:
        held = self._rows.get((table, record_id))
        if held is None:
            return None
        return StoredRow(
            table,
            record_id,
            f'W/"{held.version}"',
            {**_all_empty(table), **held.columns},
            held.modified_at,
            held.modified_by,
            held.on_behalf_by,
            self.clock.now() if self.clock is not None else None,
        )

    async def row(self, table: str, record_id: str) -> StoredRow | None:
        """Return the row."""
        self._ask(f"row {table} {record_id}")
        return self._stored(table, record_id)

    async def pages(
        self, table: str, *, written_by: str | None = None
    ) -> AsyncIterator[Sequence[StoredRow]]:
        """Yield the rows of a table, a few at a time."""
        self._ask(f"pages {table}" + (f" of {written_by}" if written_by is not None else ""))
        ids = [
            record_id
            for (name, record_id), held in self._rows.items()
            if name == table and written_by in (None, held.modified_by)
        ]
        for start in range(0, len(ids), self.page_size):
            found = (self._stored(table, one) for one in ids[start : start + self.page_size])
            yield [row for row in found if row is not None]

    async def mailboxes_of(self, owner_id: str) -> Sequence[StoredRow]:
        """Return the mailboxes regarding this row."""
        self._ask(f"mailboxes_of {owner_id}")
        found = (
            self._stored(table, one)
            for table, one in self._rows
            if TABLES[table].role is TableRole.MAILBOX
        )
        return [
            row
            for row in found
            if row is not None and row.columns.get("regardingobjectid.id") == owner_id
        ]

    async def user(self, user_id: str) -> UserRow | None:
        """Return the user."""
        self._ask(f"user {user_id}")
        return self.users.get(user_id)

    async def users_named(self, *, object_id: str | None, upn: str | None) -> Sequence[UserRow]:
        """Return the users with that object id or sign-in name."""
        self._ask(f"users_named {object_id} {upn}")
        return [
            user
            for user in self.users.values()
            if (object_id is not None and user.object_id == object_id)
            or (upn is not None and fold(user.upn or "") == fold(upn))
        ]

    async def business_unit_of(self, table: str, record_id: str) -> str | None:
        """Return the business unit that was given."""
        self._ask(f"business_unit_of {table} {record_id}")
        return self.unit_of.get((table, record_id))

    async def business_units(self) -> Mapping[str, BusinessUnit]:
        """Return the business units that were given."""
        self._ask("business_units")
        return self.units

    async def roles_of(self, user_id: str) -> Sequence[HeldRole]:
        """Return the direct roles."""
        self._ask(f"roles_of {user_id}")
        return self.roles.get(user_id, [])

    async def team_roles_of(self, user_id: str) -> Sequence[HeldRole]:
        """Return the roles through teams."""
        self._ask(f"team_roles_of {user_id}")
        return self.team_roles.get(user_id, [])

    async def has_privilege(self, user_id: str, name: str) -> bool:
        """Return whether the privilege was given."""
        self._ask(f"has_privilege {user_id} {name}")
        return name in self.privileges.get(user_id, set())

    async def update(
        self, table: str, record_id: str, columns: Mapping[str, Value], *, etag: str, tag: str
    ) -> None:
        """Write, with the refusals that Dataverse has for such a write."""
        self._ask(f"update {table} {record_id}")
        held = self._rows.get((table, record_id))
        if held is None:
            raise WriteRefused("There is no such row.")
        if etag != f'W/"{held.version}"':
            raise RowChanged("The row has changed.")
        if not self.may_write or (not self.may_approve and APPROVAL in columns):
            raise WriteRefused("The guard's user may not write this.")
        guarded = TABLES[table]
        if (
            self.address_elsewhere
            and guarded.role is TableRole.MAILBOX
            and guarded.address in columns
        ):
            raise AddressElsewhere("The address of this mailbox can't be changed here.")
        held.columns.update(columns)
        held.version += 1
        held.modified_by, held.on_behalf_by = self.identity.user_id, None
        held.modified_at = self.clock.now() if self.clock is not None else None
        self.written.append(RecordedWrite(table, record_id, dict(columns), tag))


def _all_empty(table: str) -> dict[str, Value]:
    """Return every column empty that a read carries: a row that is read has them all."""
    columns: dict[str, Value] = {}
    for name, kind in TABLES[table].carried.items():
        if kind == "lookup":
            columns[f"{name}.id"] = columns[f"{name}.type"] = None
        else:
            columns[name] = None
    return columns
