"""docs/doctor.md: every probe with what it looks at, what a finding means, and the mend."""

from __future__ import annotations

from console.doctor.access import USES, reach_of
from console.doctor.diagnosis import CLEAN, Severity
from console.doctor.privileges import NEEDED
from console.doctor.table import PROBES
from console.doctor.unproved import QUESTIONS
from console.reference.table import table

_HEAD = """\
# Doctor

`mailbox-guard doctor` asks an installation whether it is well, and says of whatever is not: how
grave it is, what it means, and the mend. It changes nothing, in Microsoft's services, in the
database or on the disk; one of its probes asks for a mailbox that must be refused, and the log
says so.

```console
$ mailbox-guard doctor
$ mailbox-guard doctor --all --output json=doctor.json
```

It takes less than a minute, whatever does not answer. A service that does not answer is one
finding, with the list of what could therefore not be asked. What cannot be found out is *not
known*, which never counts as well.

"""
_CODES = """
The exit code is 0 when everything is *well* or worth a *note*, 1 when anything is not, and 2
when the settings cannot be read.

## What it asks

"""
_ACCESS = """
## The access of the applications

The report ends with every application permission of Microsoft Graph that an identity holds or
needs: why it is needed, what whoever takes the token could reach with it, and what would be
lost without it. What is held for nothing is a finding. These are the uses there are; a narrower
permission is named first, and one that Exchange grants for some mailboxes alone (*scoped*)
stands in no token:

"""
_PRIVILEGES = """
In Dataverse the guard's application user needs these privileges while `serve` runs; what only
registering or a pause needs stands in [connecting Dataverse](dataverse-setup.md):

"""
_CANARY = """
## The canary

That access to mailboxes is limited can be proved in one way only: by a mailbox that must be
refused. Choose one that nobody's work depends on, such as that of a room, keep it out of the
group of approved mailboxes, and set `MAILBOX_GUARD_CANARY_OBJECT_ID` to its object id in Entra.
`doctor` asks for the id of its Inbox once with each identity, reads nothing of any mail, and
expects 403. Exchange takes up to two hours to follow a change of scope.

## Limiting the access

```console
$ mailbox-guard export exchange-scope
$ mailbox-guard export exchange-scope --legacy
```

prints PowerShell for an Exchange administrator: a group with the approved mailboxes (or, with
`--attribute CustomAttribute1`, a mark on each), the service principal, a management scope, a role
for the application within it, and the test that proves it; with `--legacy`, the older access
policy. Run it again when mailboxes were approved or withdrawn: it adds whom the group lacks and
asks about who is in it and not approved. Whoever is taken out may be readable for up to two hours
more, so Mailbox Guard's own approvals never rest on it.

"""


_OPEN = """
## What Microsoft leaves open

Facts that no page of Microsoft states. Mailbox Guard relies on none of them; what can be asked
without changing anything is asked.

"""


def doctor_page() -> str:
    """Return docs/doctor.md."""
    severities = ((f"`{one.value}`", one.doc, "no" if one in CLEAN else "yes") for one in Severity)
    uses = (
        (
            use.why,
            ", ".join(f"`{name}`" for name in use.allowed_by),
            "yes" if use.is_scoped else "",
            reach_of(use.allowed_by[0]),
            use.without,
        )
        for use in USES
    )
    privileges = ((f"`{one.name}`", one.why) for one in NEEDED)
    return (
        _HEAD
        + table(("severity", "meaning", "makes the exit code 1"), severities)
        + _CODES
        + table(
            ("probe", "looks at", "at worst"),
            (
                (f"[`{one.code}`](#{one.code})", one.looks_at, one.worst.value)
                for one in PROBES.values()
            ),
        )
        + _ACCESS
        + table(("use", "any one of", "scoped", "reaches", "without it"), uses)
        + _PRIVILEGES
        + table(("privilege", "needed so that"), privileges)
        + _CANARY
        + _OPEN
        + table(
            ("fact", "question", "what hangs on it", "probed"),
            (
                (
                    f"`{one.code}`",
                    one.question,
                    one.matters,
                    "yes" if not one.unsafe_because else f"not safely: {one.unsafe_because}",
                )
                for one in QUESTIONS
            ),
        )
        + "".join(
            f"\n## {one.code}\n\n{one.looks_at}\n\n**What a finding means.** {one.means}\n\n"
            f"**Mend.** {one.mend}\n"
            for one in PROBES.values()
        )
    )
