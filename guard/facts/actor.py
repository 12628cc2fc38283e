"""Facts about who made a change.

`actor.kind` is user, application, system or guard. Roles count by id (law 15): a role is a system
administrator's when its template says so, never by its name.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Literal

from guard.columns.table import SYSTEMUSER
from guard.facts.age import both
from guard.facts.fact_sheet import Absence, FactSheet, Question
from guard.facts.holders import names_of
from guard.facts.users import Users, person_of, user_from
from guard.identity import OwnIdentity
from guard.ports.directory import Directory, Person
from guard.ports.rows import HeldRole, Rows, UserRow
from kernel.errors import GuardError
from rules.model.change import Value

ROOT = "actor."
SYSTEM_ADMINISTRATOR = "627090ff-40a3-4053-8790-584edc5be201"
# The name of the platform's template, which nobody can give: a role's own name tells nothing.
DELEGATED_APPROVER = "Delegated Mailbox Approver"
APPROVE_PRIVILEGE = "prvApproveRejectEmailAddress"
SUPPORT_USER = 3

ROLE_FACTS = frozenset(
    {"roles", "roleIds", "roleTemplates", "isSystemAdministrator", "isDelegatedApprover"}
)
# These are counted, not looked up.
ACTIVITY_FACTS = frozenset({"recentChanges", "similarChanges"})
# What else of an actor is looked up beside this.
ELSEWHERE_FACTS = ACTIVITY_FACTS | {"businessUnit", "businessUnits"}
NAMES = "names"
ROW_FACTS = frozenset({"kind", "upn", "objectId", "entraRoles", NAMES})
FROM_DATAVERSE = "dataverse"
FROM_ENTRA = "entra"
FROM_DELIVERY = "delivery"
NO_SUCH_USER = "Dataverse has no such user"
NO_SUCH_PERSON = "Entra has no such user"
NO_DELEGATED_ROLE = "MAILBOX_GUARD_DELEGATED_APPROVER_ROLE_ID is not set"

Kind = Literal["user", "application", "system", "guard"]


@dataclass(frozen=True, slots=True)
class ActorFacts:
    """Looks up the actor; `delegated_role_id` names the role Delegated Mailbox Approver.

    Without it the role is known by the name of its template alone, where Dataverse tells that.
    """

    users: Users
    rows: Rows
    directory: Directory
    identity: OwnIdentity
    delegated_role_id: str | None = None

    async def gather(self, question: Question, sheet: FactSheet) -> None:
        """Look up what is needed of `actor`, in two waves at most."""
        needed = question.needs(ROOT) - ELSEWHERE_FACTS
        if not needed:
            return
        actor_id = question.actor_id
        if actor_id is None:
            for name in needed:
                sheet.lack(ROOT + name, "the delivery names no actor")
            return
        sheet.know(ROOT + "id", actor_id, FROM_DELIVERY)
        sheet.know(ROOT + "onBehalfBy", question.on_behalf_by, FROM_DELIVERY)
        if needed <= {"id", "onBehalfBy"}:
            return
        # The row is read whatever is needed: who does not exist has no roles to speak of.
        waves = [self._row(question, actor_id, needed, sheet)]
        if needed & ROLE_FACTS:
            waves.append(self._roles(actor_id, sheet))
        if "canApproveEmail" in needed:
            waves.append(self._privilege(actor_id, sheet))
        await asyncio.gather(*waves)
        if sheet.absences.get(ROOT + "kind") is Absence.NO_SUCH_USER:
            for name in needed - {"id", "onBehalfBy"}:
                sheet.retract(ROOT + name, NO_SUCH_USER)

    async def _row(
        self, question: Question, actor_id: str, needed: frozenset[str], sheet: FactSheet
    ) -> None:
        user, source = await self._user(question, actor_id, sheet)
        if user is None:
            return
        kind = kind_of(user, identity=self.identity)
        sheet.know(ROOT + "kind", kind, source)
        sheet.know(ROOT + "upn", user.upn, source)
        sheet.know(ROOT + "objectId", user.object_id, source)
        wave: list[Coroutine[Any, Any, None]] = []
        if "entraRoles" in needed:
            wave.append(self._entra_roles(user, kind, sheet))
        if NAMES in needed:
            wave.append(self._names(user, kind, sheet))
        await asyncio.gather(*wave)

    async def _user(
        self, question: Question, actor_id: str, sheet: FactSheet
    ) -> tuple[UserRow | None, str]:
        change = question.change
        if change.table == SYSTEMUSER.name and change.record_id == actor_id:
            # Whoever edits the own row acted as who they were before the edit. Before the commit
            # the row may not be read at all.
            before = change.before
            if before.get("domainname") is not None or before.get("applicationid") is not None:
                return user_from(actor_id, before), FROM_DELIVERY
            if question.is_synchronous:
                _lack_row(sheet, "the actor's own row is being changed and doesn't name its UPN")
                return None, ""
        try:
            user = await self.users.user(actor_id)
        except GuardError as error:
            if actor_id == self.identity.user_id:
                # Who we are is known without asking.
                sheet.know(ROOT + "kind", "guard", FROM_DELIVERY)
            sheet.lack_answer([ROOT + name for name in ROW_FACTS], error)
            return None, ""
        if user is None:
            _lack_row(sheet, NO_SUCH_USER, Absence.NO_SUCH_USER)
        return user, FROM_DATAVERSE

    async def _entra_roles(self, user: UserRow, kind: Kind, sheet: FactSheet) -> None:
        path = ROOT + "entraRoles"
        if kind != "user" or user.object_id is None:
            # Only people hold directory roles that count; who has no Entra object holds none.
            sheet.know(path, (), FROM_DATAVERSE)
            return
        try:
            roles = await self.directory.directory_roles(user.object_id)
        except GuardError as error:
            sheet.lack_answer([path], error)
            return
        sheet.know(path, tuple(roles), FROM_ENTRA)

    async def _names(self, user: UserRow, kind: Kind, sheet: FactSheet) -> None:
        path = ROOT + NAMES
        if kind != "user":
            # An application has an object in Entra, and no address.
            names = () if user.object_id is None else (user.object_id,)
            sheet.know(path, names, FROM_DATAVERSE)
            return
        try:
            person = await person_of(self.directory, user)
        except GuardError as error:
            sheet.lack_answer([path], error)
            return
        await know_names(path, user, person, directory=self.directory, sheet=sheet)

    async def _roles(self, actor_id: str, sheet: FactSheet) -> None:
        try:
            direct, through_teams = await both(
                self.rows.roles_of(actor_id), self.rows.team_roles_of(actor_id)
            )
        except GuardError as error:
            # Half of the roles would let "has not this role" pass: all or none.
            sheet.lack_answer([ROOT + name for name in ROLE_FACTS], error)
            return
        facts = self._role_facts([*direct, *through_teams])
        for name, value in facts.items():
            sheet.know(ROOT + name, value, FROM_DATAVERSE)
        if not self.delegated_role_id and not facts["isDelegatedApprover"]:
            # Only the setting tells that a role is not it: an answer need not name its template.
            sheet.retract(ROOT + "isDelegatedApprover", NO_DELEGATED_ROLE)

    def _role_facts(self, held: list[HeldRole]) -> dict[str, Value]:
        ids = {one for role in held for one in (role.role_id, role.root_id) if one}
        templates = {role.template_id for role in held if role.template_id}
        wanted = (self.delegated_role_id or "").lower()
        is_named = any(role.template_name == DELEGATED_APPROVER for role in held)
        return {
            "roles": tuple(sorted({role.name for role in held})),
            "roleIds": tuple(sorted(ids)),
            "roleTemplates": tuple(sorted(templates)),
            "isSystemAdministrator": SYSTEM_ADMINISTRATOR in templates,
            "isDelegatedApprover": wanted in ids if wanted else is_named,
        }

    async def _privilege(self, actor_id: str, sheet: FactSheet) -> None:
        path = ROOT + "canApproveEmail"
        try:
            held = await self.rows.has_privilege(actor_id, APPROVE_PRIVILEGE)
        except GuardError as error:
            sheet.lack_answer([path], error)
            return
        sheet.know(path, held, FROM_DATAVERSE)


async def know_names(
    path: str, user: UserRow, person: Person | None, *, directory: Directory, sheet: FactSheet
) -> None:
    """Keep by what names a list may mean a user, whose Entra object is given: all, or unknown.

    One name short would let "is none of these" pass. Asks once more where the object has a mail
    that is no address of its own.
    """
    if person is None:
        if user.object_id is None and user.upn is None:
            sheet.know(path, (), FROM_DATAVERSE)
        else:
            sheet.lack(path, NO_SUCH_PERSON)
        return
    try:
        sheet.know(path, await names_of(person, directory), FROM_ENTRA)
    except GuardError as error:
        sheet.lack_answer([path], error)


def kind_of(user: UserRow, *, identity: OwnIdentity) -> Kind:
    """Return what an actor is: one of our own, an application, the platform, or a person."""
    if identity.is_own(user.id, user.application_id):
        return "guard"
    if user.application_id is not None:
        return "application"
    if user.access_mode == SUPPORT_USER or (user.upn is None and user.object_id is None):
        return "system"
    return "user"


def _lack_row(sheet: FactSheet, reason: str, absence: Absence = Absence.OTHER) -> None:
    for name in ROW_FACTS:
        sheet.lack(ROOT + name, reason, absence)
