"""The fact about the person who owns a row and answers for it: whether they have left."""

from __future__ import annotations

from dataclasses import dataclass

from guard.columns.owner import OWNER_TYPES
from guard.columns.table import SYSTEMUSER, OwnerType
from guard.facts.actor import FROM_DATAVERSE, FROM_DELIVERY, FROM_ENTRA
from guard.facts.fact_sheet import UNREADABLE_OWNER, Absence, FactSheet, Question
from guard.facts.owner import FROM_MIRROR
from guard.facts.users import Mirrored, person_of, user_from
from guard.ports.directory import Directory
from guard.ports.rows import Rows, UserRow
from kernel.errors import GuardError

PATH = "facts.stewardLeft"


@dataclass(frozen=True, slots=True)
class StewardFacts:
    """Looks up whether the person in `ownerid` is gone or disabled, in two waves at most."""

    rows: Rows
    directory: Directory
    mirrored: Mirrored

    async def gather(self, question: Question, sheet: FactSheet) -> None:
        """Tell it of a person; a team or an application cannot leave."""
        columns = question.change.after
        user_id = columns.get("ownerid.id")
        if not isinstance(user_id, str) or not user_id:
            sheet.know(PATH, None, FROM_DELIVERY)
            return
        if OWNER_TYPES.get(str(columns.get("ownerid.type"))) is OwnerType.TEAM:
            sheet.know(PATH, False, FROM_DELIVERY)
            return
        try:
            await self._of_user(question, user_id, sheet)
        except GuardError as error:
            sheet.lack_answer([PATH], error)

    async def _of_user(self, question: Question, user_id: str, sheet: FactSheet) -> None:
        # The mirror is asked first: a row of the same transaction may not be read, and it costs no
        # request.
        known = await self.mirrored(SYSTEMUSER.name, user_id)
        if known is not None and known.columns.get("isdisabled") is True:
            sheet.know(PATH, True, FROM_MIRROR)
            return
        user: UserRow | None
        if known is not None and known.columns.get("domainname"):
            user = user_from(user_id, known.columns)
        elif question.is_synchronous and question.change.operation == "create":
            sheet.lack(PATH, UNREADABLE_OWNER, Absence.SAME_TRANSACTION)
            return
        else:
            user = await self.rows.user(user_id)
        if user is None or user.application_id is not None:
            sheet.know(PATH, user is None, FROM_DATAVERSE)
        elif user.object_id is None and user.upn is None:
            sheet.lack(PATH, "the user has no sign-in name")
        else:
            person = await person_of(self.directory, user)
            sheet.know(PATH, person is None or person.is_enabled is False, FROM_ENTRA)
