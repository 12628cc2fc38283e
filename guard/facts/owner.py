"""Facts about whose mailbox a row is, what it is for, and who holds its address in Entra.

The owner of a mailbox is its regarding user or queue, else its owner; of a systemuser the user, of
a queue the queue. Queues and teams have no UPN and no Entra object: known to be empty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from guard.columns.owner import Owner, owner_of
from guard.columns.table import SYSTEMUSER, TABLES, OwnerType
from guard.facts.actor import FROM_DATAVERSE, FROM_DELIVERY, FROM_ENTRA, NAMES, know_names
from guard.facts.fact_sheet import UNREADABLE_OWNER, Absence, FactSheet, Question
from guard.facts.holders import Holders, users_holding, whose
from guard.facts.users import Users, person_of, user_from
from guard.ports.directory import Directory, HolderType, Person
from guard.ports.rows import UserRow
from kernel.errors import GuardError, NotFound
from rules.model.change import Value

FROM_MIRROR = "mirror"
FROM_EXCHANGE = "exchange"
OBJECT_ID = "azureactivedirectoryobjectid"
NO_OBJECT = "the owner's row names no Entra object"
ROW_FACTS = frozenset({"upn", "objectId", "entraUpn", NAMES})
ENTRA_FACTS = frozenset({"objectId", "entraUpn"})
# What else Entra and Exchange say of the owner after the change, under `facts.`.
ROOT = "facts."
_PERSON_FACTS = frozenset({"ownerAddresses", "ownerIsEnabled", "ownerIsGuest"})
ABOUT_OWNER = _PERSON_FACTS | {"ownerIsLicensed", "mailboxPurpose", "ownerElsewhere"}

# What is to be known of an address that no user has: a group, a contact or something deleted may.
_BEYOND_USERS = frozenset({"names", "type", "isDeleted", "isPerson"})
# What a mailbox is for that is no person's (userPurpose).
IMPERSONAL = frozenset({"shared", "room", "equipment"})
_OF_NOBODY: Mapping[str, Value] = {"count": 0, "names": (), "isPerson": False}


@dataclass(frozen=True, slots=True)
class OwnerFacts:
    """Looks up the owner on one side of a change (`new.owner.` or `old.owner.`)."""

    users: Users
    directory: Directory

    async def gather(self, question: Question, side: str, sheet: FactSheet) -> None:
        """Look up what is needed of the owner, in two waves at most."""
        root = f"{side}.owner."
        needed = question.needs(root)
        about = question.needs(ROOT) & ABOUT_OWNER if side == "new" else frozenset()
        if not needed and not about:
            return
        change = question.change
        columns = change.after if side == "new" else change.before
        owner = owner_of(change.table, change.record_id, columns) if columns else None
        if owner is None:
            if side == "old" and not columns:
                _know_of_nobody(root, needed, about, FROM_DELIVERY, sheet)
            for path in [root + name for name in needed] + [ROOT + name for name in about]:
                sheet.lack(path, "the row names no owner")
            return
        sheet.know(root + "id", owner.id, FROM_DELIVERY)
        if owner.type is not None:
            sheet.know(root + "type", owner.type.value, FROM_DELIVERY)
        if owner.is_no_person:
            _know_of_nobody(root, ROW_FACTS, about, FROM_DELIVERY, sheet)
        elif needed & ROW_FACTS or about or owner.type is None:
            await self._user(question, owner, columns, root, needed | about, sheet)
            unknown = sheet.missing.get(root + "objectId")
            if unknown is not None:
                sheet.complete(frozenset(ROOT + name for name in about), reason=unknown)

    async def _user(
        self,
        question: Question,
        owner: Owner,
        columns: Mapping[str, Value],
        root: str,
        needed: frozenset[str],
        sheet: FactSheet,
    ) -> None:
        user, source = await self._row(question, owner, columns, root, sheet)
        if user is None:
            return
        sheet.know(root + "type", OwnerType.USER.value, source)
        sheet.know(root + "upn", user.upn, source)
        wave: list[Coroutine[Any, Any, None]] = []
        if needed & (ENTRA_FACTS | _PERSON_FACTS | {NAMES}):
            wave.append(self._entra(user, root, needed, sheet))
        if "ownerIsLicensed" in needed:
            wave.append(self._licence(user, sheet))
        if "mailboxPurpose" in needed:
            wave.append(self._purpose(user, sheet))
        if "ownerElsewhere" in needed:
            wave.append(self._elsewhere(user, sheet))
        await asyncio.gather(*wave)

    async def _row(
        self,
        question: Question,
        owner: Owner,
        columns: Mapping[str, Value],
        root: str,
        sheet: FactSheet,
    ) -> tuple[UserRow | None, str]:
        """Return the owner's row, from the transaction itself where it may not be read."""
        if question.is_synchronous:
            user, source, is_final = await self._unread(question, owner, columns)
            if user is not None:
                return user, source
            if is_final:
                for name in (*ROW_FACTS, *(() if owner.type else ("type",))):
                    sheet.lack(root + name, UNREADABLE_OWNER, Absence.SAME_TRANSACTION)
                return None, ""
        try:
            user = await self.users.user(owner.id)
        except GuardError as error:
            sheet.lack_answer([root + name for name in ROW_FACTS], error)
            return None, ""
        if user is None:
            if owner.type is None:
                # An id alone that is no user is a queue or a team: neither has a UPN.
                _know_of_nobody(root, ROW_FACTS, (), FROM_DATAVERSE, sheet)
                sheet.know(root + "type", OwnerType.QUEUE.value, FROM_DATAVERSE)
            else:
                for name in ROW_FACTS:
                    sheet.lack(root + name, "Dataverse has no such user")
        return user, FROM_DATAVERSE

    async def _unread(
        self, question: Question, owner: Owner, columns: Mapping[str, Value]
    ) -> tuple[UserRow | None, str, bool]:
        """Return what is known of the owner without reading its row, and whether that is all."""
        change = question.change
        is_primary = change.table == SYSTEMUSER.name
        # A row that names its object alone names somebody, and says so itself.
        if is_primary and (columns.get("domainname") or columns.get(OBJECT_ID)):
            return user_from(owner.id, columns), FROM_DELIVERY, True
        sent = question.ancestor(SYSTEMUSER.name, owner.id)
        if not is_primary and change.operation != "create" and sent is None:
            return None, "", False
        known = await self.users.mirrored(SYSTEMUSER.name, owner.id)
        together = {**(known.columns if known else {}), **(sent or {})}
        if not together.get("domainname"):
            return None, "", is_primary or change.operation == "create"
        return user_from(owner.id, together), FROM_DELIVERY if sent else FROM_MIRROR, True

    async def _entra(
        self, user: UserRow, root: str, needed: frozenset[str], sheet: FactSheet
    ) -> None:
        try:
            person = await person_of(self.directory, user)
        except GuardError as error:
            sheet.lack_answer([root + name for name in (*ENTRA_FACTS, NAMES)], error)
            return
        sheet.know(root + "objectId", person.object_id if person else None, FROM_ENTRA)
        sheet.know(root + "entraUpn", person.upn if person else None, FROM_ENTRA)
        if root == "new.owner.":
            for name, value in _person_facts(person).items():
                sheet.know(ROOT + name, value, FROM_ENTRA)
        if NAMES in needed:
            await know_names(root + NAMES, user, person, directory=self.directory, sheet=sheet)

    async def _licence(self, user: UserRow, sheet: FactSheet) -> None:
        path, key = ROOT + "ownerIsLicensed", user.object_id or user.upn
        if key is None:
            sheet.know(path, None, FROM_DATAVERSE)
            return
        try:
            sheet.know(path, await self.directory.has_exchange(key), FROM_ENTRA)
        except GuardError as error:
            sheet.lack_answer([path], error)

    async def _purpose(self, user: UserRow, sheet: FactSheet) -> None:
        path = ROOT + "mailboxPurpose"
        if user.object_id is None:
            sheet.lack(path, NO_OBJECT)
            return
        try:
            sheet.know(path, await self.directory.mailbox_purpose(user.object_id), FROM_EXCHANGE)
        except GuardError as error:
            sheet.lack_answer([path], error)

    async def _elsewhere(self, user: UserRow, sheet: FactSheet) -> None:
        path = ROOT + "ownerElsewhere"
        try:
            others = await self.users.others_named(user)
        except GuardError as error:
            sheet.lack_answer([path], error)
            return
        sheet.know(path, len(others), FROM_DATAVERSE)


def _person_facts(person: Person | None) -> dict[str, Value]:
    if person is None:
        return {"ownerAddresses": (), "ownerIsEnabled": None, "ownerIsGuest": None}
    return {
        "ownerAddresses": person.addresses,
        "ownerIsEnabled": person.is_enabled,
        "ownerIsGuest": person.kind.lower() == "guest" if person.kind else None,
    }


def _know_of_nobody(
    root: str, names: Iterable[str], about: Iterable[str], source: str, sheet: FactSheet
) -> None:
    """Keep what is so of an owner who is no person: nothing, and no name in a list."""
    for name in names:
        sheet.know(root + name, () if name == NAMES else None, source)
    for name in about:
        sheet.know(ROOT + name, None, source)


@dataclass(frozen=True, slots=True)
class AddressOwnerFacts:
    """Looks up whose the address is in Entra on one side of a change (`holders`)."""

    directory: Directory

    async def gather(self, question: Question, side: str, sheet: FactSheet) -> None:
        """Look up what is needed of `<side>.addressOwner`, in two waves at most."""
        root = f"{side}.addressOwner."
        needed = question.needs(root)
        if not needed:
            return
        change = question.change
        columns = change.after if side == "new" else change.before
        address = columns.get(TABLES[change.table].address)
        if not isinstance(address, str) or not address.strip():
            for name in needed:
                sheet.know(root + name, _OF_NOBODY.get(name), FROM_DELIVERY)
            return
        address = address.strip()
        try:
            holders = await users_holding(address, self.directory)
        except GuardError as error:
            sheet.lack_answer([root + name for name in needed], error)
            return
        if not holders.whose and needed & _BEYOND_USERS:
            holders = await self._others(address, root, sheet)
        for name, value in _holder_facts(holders, address).items():
            if root + name not in sheet.missing:
                sheet.know(root + name, value, FROM_ENTRA)
        if "isPerson" in needed:
            await self._is_person(holders, root + "isPerson", sheet)

    async def _others(self, address: str, root: str, sheet: FactSheet) -> Holders:
        """Return what holds an address that no user has; where that isn't told, what is lacking."""
        try:
            return whose(await self.directory.others_holding(address), address)
        except GuardError as error:
            # That no user has it is known all the same.
            sheet.lack_answer([root + name for name in ("type", "isDeleted", "isPerson")], error)
            return Holders()

    async def _is_person(self, holders: Holders, path: str, sheet: FactSheet) -> None:
        """Tell whether the address is of a person: a user whose mailbox is nothing else."""
        if path in sheet.missing:
            return
        only, users = holders.only, [o for o in holders.whose if o.type is HolderType.USER]
        if only is None or not users or only.is_deleted:
            sheet.know(path, bool(users), FROM_ENTRA)
            return
        try:
            purpose: str | None = await self.directory.mailbox_purpose(only.object_id)
        except GuardError as error:
            if isinstance(error, NotFound):
                purpose = None
            elif only.is_enabled:
                # Somebody signs in: that is a person until Exchange says otherwise.
                purpose = None
            else:
                sheet.lack_answer([path], error)
                return
        sheet.know(path, purpose not in IMPERSONAL, FROM_EXCHANGE)


def _holder_facts(holders: Holders, address: str) -> dict[str, Value]:
    only = holders.only
    return {
        "count": len(holders.whose),
        "ids": tuple(person.object_id for person in holders.whose),
        "upns": tuple(person.upn for person in holders.whose if person.upn),
        "names": (*holders.names, address),
        "id": only.object_id if only else None,
        "objectId": only.object_id if only else None,
        "upn": only.upn if only else None,
        "type": only.type.value if only else None,
        "isDeleted": only.is_deleted if only else None,
        "isEnabled": only.is_enabled if only else None,
        "userType": only.kind if only else None,
    }
