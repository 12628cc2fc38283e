"""The privileges of the guard's own user in Dataverse, held against what it needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from console.doctor.diagnosis import Diagnosis, Severity
from console.doctor.installation import Installation, Prerequisite
from console.doctor.probe import Probe
from guard.registration.role import PRIVILEGES, Occasion

# Source: the page on System Administrator's template; a role is never known by its name.
SYSTEM_ADMINISTRATOR_TEMPLATE = "627090ff-40a3-4053-8790-584edc5be201"


@dataclass(frozen=True, slots=True)
class NeededPrivilege:
    """A privilege that is needed, what for, and how grave it is that it is missing."""

    name: str
    why: str
    severity: Severity = Severity.ERROR
    occasion: Occasion = Occasion.SERVE


# Without these the guard still decides and reverts: a person does the rest, or nobody notices.
_LESS_GRAVE = (
    "prvApproveRejectEmailAddress",
    "prvReadServiceEndpoint",
    "prvReadSdkMessage",
    "prvReadAsyncOperation",
)
_SYNC = "mail is brought into Dataverse"
_ALWAYS = (Occasion.SERVE, Occasion.NOTIFY)
NEEDED = (
    *(
        NeededPrivilege(
            one.name,
            one.why,
            Severity.WARN
            if one.occasion is Occasion.NOTIFY or one.name.startswith(_LESS_GRAVE)
            else Severity.ERROR,
            one.occasion,
        )
        for one in PRIVILEGES
        if one.occasion in _ALWAYS
    ),
    NeededPrivilege("prvReadAsyncOperation", "deliveries that failed are seen", Severity.WARN),
    *(
        NeededPrivilege(f"prv{verb}Activity", _SYNC)
        for verb in ("Create", "Read", "Write", "Append", "AppendTo")
    ),
)
"""What is needed while `serve` runs: the least role, and what the sync and this probe add."""

SOMETIMES = frozenset(one.name.lower() for one in PRIVILEGES if one.occasion not in _ALWAYS)
"""What only registering and break-glass need, in lower case."""

# Each of these lets its holder act as somebody else, or go past the guard.
GRAVE = {
    "prvActOnBehalfOfAnotherUser": "acting as any other user",
    "prvBypassCustomBusinessLogic": "writing past every synchronous step, the guard's among them",
    "prvBypassCustomPlugins": "writing past every synchronous step, the guard's among them",
    "prvWriteRole": "giving itself every privilege",
    "prvAssignRole": "giving itself every role",
}


class PrivilegesEnough(Probe):
    """The guard's user may do what the guard must."""

    code = "privileges-enough"
    looks_at = "The privileges of the guard's own user in Dataverse, through whatever role."
    worst = Severity.ERROR
    means = "Dataverse refuses what needs the privilege."
    mend = "Give the guard's application user what `mailbox-guard dataverse role` lists."
    needs = frozenset({Prerequisite.DATAVERSE})

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Name each that is missing, and what does not work without it."""
        held = {name.lower() for name in await house.privileges()}
        lacking: dict[tuple[Severity, str], list[str]] = {}
        for one in NEEDED:
            is_spared = one.occasion is Occasion.NOTIFY and not house.settings.notifications
            if one.name.lower() not in held and not is_spared:
                lacking.setdefault((one.severity, one.why), []).append(one.name)
        if not lacking:
            return [self.well("Every privilege that is needed is held.")]
        return [
            self.found(severity, f"Not held: {', '.join(names)}.", means=f"Needed so that {why}.")
            for (severity, why), names in lacking.items()
        ]


class PrivilegesLeast(Probe):
    """The guard's user may do no more than it must."""

    code = "privileges-least"
    looks_at = "The roles and privileges of the guard's own user, against what it needs."
    worst = Severity.WARN
    means = "Whoever takes the guard's credential can do all that its user may, needed or not."
    mend = (
        "Take the role away and give one with what `mailbox-guard dataverse role` lists, which is "
        "what is needed and no more."
    )
    needs = frozenset({Prerequisite.DATAVERSE})

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Look for System Administrator, for grave privileges, and count the others."""
        roles, held = await house.roles(), await house.privileges()
        found = [
            self.found(Severity.WARN, "The guard's user is System Administrator.", about=role.name)
            for role in roles
            if role.template_id == SYSTEM_ADMINISTRATOR_TEMPLATE
        ][:1]
        needed = {one.name.lower() for one in NEEDED}
        beyond = sorted(name for name in held if name.lower() not in needed | SOMETIMES)
        grave = {name.lower(): reach for name, reach in GRAVE.items()}
        found += [
            self.found(
                Severity.WARN,
                f"{name} is held and not needed; it allows {grave[name.lower()]}.",
                about=name,
            )
            for name in beyond
            if name.lower() in grave
        ]
        others = [name for name in beyond if name.lower() not in grave]
        writing = [name for name in others if not name.lower().startswith("prvread")]
        if writing:
            shown = ", ".join(writing[:3]) + (", …" if len(writing) > 3 else "")
            told = f"{len(writing)} privileges to change something are held and not needed: {shown}"
            found.append(self.found(Severity.WARN, told))
        elif others:
            told = f"{len(others)} privileges to read are held beyond need."
            found.append(self.note(told))
        spare = sorted(name for name in held if name.lower() in SOMETIMES)
        if spare:
            told = f"{len(spare)} privileges are held that only registering or a pause needs."
            found.append(self.note(told))
        return found or [self.well("No privilege is held beyond need.")]


class OwnUser(Probe):
    """The guard has a user of its own."""

    code = "own-user"
    looks_at = "The guard's row among the users: an application user that is its alone."
    worst = Severity.ERROR
    means = (
        "The guard knows its own writes by its own user: a person or another program under the "
        "same user would count as the guard."
    )
    mend = "Add the guard's app registration as an application user of its own."
    needs = frozenset({Prerequisite.DATAVERSE})

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Read our own row."""
        me = await house.myself()
        row = await house.connected().dataverse.get(
            "systemusers",
            me.user_id,
            select=("applicationid", "fullname", "isdisabled"),
            reason="doctor: read the guard's own user",
        )
        application = str(row.get("applicationid") or "").lower() if row is not None else ""
        if not application:
            return [self.found(Severity.ERROR, f"User {me.user_id} is no application user.")]
        wanted = house.guard.client_id.lower()
        if wanted and application != wanted:
            told = f"User {me.user_id} belongs to the application {application}, not to {wanted}."
            return [self.found(Severity.ERROR, told)]
        return [self.well(f"The application user {me.user_id} is the guard's own.")]
