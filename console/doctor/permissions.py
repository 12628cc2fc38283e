"""The permissions in our tokens for Graph, held against the least that is needed."""

from __future__ import annotations

from collections.abc import Sequence

from console.doctor.access import (
    MAILBOX_PREFIXES,
    AccessLine,
    Purpose,
    access_of,
    reach_of,
    unserved,
)
from console.doctor.diagnosis import Diagnosis, Severity
from console.doctor.installation import Installation, OwnApplication, Prerequisite
from console.doctor.probe import Probe
from kernel.errors import GuardError

# What policies name when they ask what a mailbox is for: docs/policies.md.
_ASK_PURPOSE = ("mailboxPurpose", "addressOwner.isPerson")


def purposes_of(house: Installation, identity: OwnApplication) -> frozenset[Purpose]:
    """Return what an identity is for, by the settings and the loaded policies."""
    found: set[Purpose] = set()
    if identity is house.guard:
        found.add(Purpose.GUARDING)
        documents = house.policies.documents.values() if house.policies is not None else ()
        if any(name in text for text in documents for name in _ASK_PURPOSE):
            found.add(Purpose.PURPOSES)
        if house.settings.mail_sender:
            found.add(Purpose.MAILING)
    if identity is house.reader or house.is_shared:
        found.add(Purpose.READING)
    return frozenset(found)


async def access_table(house: Installation) -> list[AccessLine]:
    """Return the access of every identity, permission by permission; of who has no token, none."""
    lines: list[AccessLine] = []
    for identity in house.identities:
        try:
            held = await house.granted(identity)
        except GuardError:
            continue
        lines += access_of(identity.name, held, purposes_of(house, identity))
    return lines


class PermissionsEnough(Probe):
    """The guard's token carries every permission that it needs."""

    code = "permissions-enough"
    looks_at = "The `roles` of the guard's token for Graph, against what its look-ups need."
    worst = Severity.ERROR
    means = "What cannot be looked up is a missing fact, and rules that need it err, which rejects."
    mend = "Add the application permission in Entra and grant admin consent."
    needs = frozenset({Prerequisite.GRAPH})

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Name each use that nothing allows."""
        held = await house.granted(house.guard)
        lacking = [
            self.found(
                Severity.ERROR,
                f"None of {', '.join(use.allowed_by)} is granted. {use.why}",
                about=use.allowed_by[0],
                means=f"Without it {use.without}.",
            )
            for use in unserved(held, purposes_of(house, house.guard))
        ]
        return lacking or [self.well("Everything that the look-ups need is granted.")]


class PermissionsLeast(Probe):
    """No token carries a permission that nothing needs."""

    code = "permissions-least"
    looks_at = "The `roles` of every token for Graph, against the least that is needed."
    worst = Severity.ERROR
    means = "Whoever takes the credential can do all that the token allows, needed or not."
    mend = "Remove the permission from the app registration, or the consent to it, in Entra."

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Name each permission that serves no use."""
        found: list[Diagnosis] = []
        for identity in house.identities:
            held = await house.granted(identity)
            lines = access_of(identity.name, held, purposes_of(house, identity))
            excess = [line for line in lines if line.is_too_much]
            found += [
                self.found(
                    Severity.ERROR if line.is_grave else Severity.WARN,
                    f"{line.permission} is granted, which reaches {line.reaches}. {line.why}",
                    about=f"{identity.name}, {line.permission}",
                )
                for line in excess
            ]
            if not excess:
                found.append(self.well("Nothing is granted beyond need.", about=identity.name))
        return found


class MailboxesScoped(Probe):
    """Access to mailboxes is not granted for the whole tenant."""

    code = "mailboxes-scoped"
    looks_at = (
        "Whether a token carries a permission on mailboxes: what Exchange grants for some "
        "mailboxes alone stands in no token."
    )
    worst = Severity.WARN
    means = (
        "A permission that stands in the token holds for every mailbox of the tenant, and a scope "
        "in Exchange adds to it instead of limiting it."
    )
    mend = (
        "Run what `mailbox-guard export exchange-scope` prints, then remove the consent in Entra; "
        "or keep it and limit it by an application access policy (`--legacy`)."
    )

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Look for permissions on mailboxes in every token."""
        found: list[Diagnosis] = []
        for identity in house.identities:
            held = await house.granted(identity)
            wide = sorted(one for one in held if one.startswith(MAILBOX_PREFIXES))
            found += [
                self.found(
                    Severity.WARN,
                    f"{one} is granted for the whole tenant: {reach_of(one)}.",
                    about=f"{identity.name}, {one}",
                )
                for one in wide
            ]
            if not wide:
                told = "No permission on mailboxes stands in the token."
                found.append(self.well(told, about=identity.name))
        return found
