"""The registration is looked at, made, mended, removed, paused: what the commands are made of.

Nothing here is kept: each verb reads Dataverse anew, writes what is missing, and may be given again
after any stop. Break-glass (`pause`, `resume`) needs no database.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from guard.columns.table import TABLES
from guard.ports.registry import (
    DISABLED,
    ENABLED,
    MessageOf,
    Offer,
    Registration,
    Registry,
    Step,
    Surroundings,
)
from guard.registration import stored
from guard.registration.assessment import Assessment, assess
from guard.registration.desired import (
    StepChoice,
    Wanted,
    desired_registration,
    endpoint_id_of,
    step_ids_of,
)
from guard.registration.pause import Pause, pause_of
from guard.registration.plan import Action, carry_out, plan
from guard.registration.stored import INTENDED, REMEMBERED, Remembered
from kernel.database import Database
from kernel.digest import sha256_hex
from kernel.errors import Conflict, InputRefused
from kernel.principal import Principal

_MOST_URL = 2000
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})

Progress = Callable[[Action], None]


class NotRegistrable(Conflict):
    """The platform offers no step for an edit that the guard must see."""

    code = "not-registrable"
    exit_code = 2


@dataclass(frozen=True, slots=True)
class Look:
    """What stands in Dataverse, what should, and what is remembered, of one moment."""

    wanted: Wanted
    found: Registration
    offers: Mapping[MessageOf, Offer]
    surroundings: Surroundings
    known: Remembered | None
    assessment: Assessment
    neighbours: tuple[str, ...] = ()


def checked_url(url: str) -> str:
    """Return the address of the guard as it is registered. Raises InputRefused for a wrong one."""
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise InputRefused("The URL cannot be read.", hint=_URL_HINT) from None
    is_local = parts.hostname in _LOCAL
    if parts.scheme != "https" and not (parts.scheme == "http" and is_local):
        raise InputRefused(
            "The URL must begin with https://: the key travels with it.", hint=_URL_HINT
        )
    if not parts.hostname or parts.username or parts.password or parts.query or parts.fragment:
        raise InputRefused(
            "The URL is a host and a path, without a user, a query or a fragment; the key is taken "
            "from MAILBOX_GUARD_WEBHOOK_KEYS.",
            hint=_URL_HINT,
        )
    if port not in (None, 443) and not is_local:
        raise InputRefused("Dataverse calls webhooks on port 443 alone.", hint=_URL_HINT)
    if len(url) > _MOST_URL:
        raise InputRefused(f"The URL is longer than {_MOST_URL} characters.", hint=_URL_HINT)
    return url.strip().rstrip("/")


_URL_HINT = "Give --url https://guard.contoso.com/webhooks/dataverse."


async def look(
    registry: Registry,
    organization_id: str,
    *,
    url: str,
    choice: StepChoice,
    named: Mapping[str, frozenset[str]],
    known: Remembered | None,
    now: datetime,
) -> Look:
    """Read everything and judge it; writes nothing."""
    offers = await registry.offers(TABLES)
    wanted = desired_registration(organization_id, url, offered=offers, named=named, choice=choice)
    found = await read(registry, organization_id)
    surroundings = await registry.surroundings()
    assessment = assess(known, wanted.registration, found, surroundings, now=now)
    neighbours = await registry.neighbours(url, endpoint_id=endpoint_id_of(organization_id))
    return Look(wanted, found, offers, surroundings, known, assessment, neighbours)


async def read(registry: Registry, organization_id: str) -> Registration:
    """Return what of ours stands in an organisation."""
    return await registry.read(
        endpoint_id_of(organization_id), step_ids=step_ids_of(organization_id)
    )


def key_digest_of(key: str) -> str:
    """Return what is remembered of a key, by which one can tell whether it is still the one."""
    return sha256_hex(f"webhook-key\n{key}".encode())


def planned(seen: Look, *, key: str, anew: bool = False) -> tuple[Action, ...]:
    """Return what `register` would write; the key is sent where it is not known to be the one.

    A pause is nothing that is mended: it ends by itself, or by `resume`.
    Raises NotRegistrable when the platform offers no step for an edit that must be seen.
    """
    missed = seen.wanted.not_guarded
    if missed:
        told = ", ".join(f"{message} of {table}" for message, table in missed)
        raise NotRegistrable(
            f"No step can be registered on {told}.",
            hint="Without it edits pass unseen: ask whoever customised these messages.",
        )
    is_known = seen.known is not None and seen.known.key_digest == key_digest_of(key)
    paused = {step.id: step for step in seen.found.steps if pause_of(step) is not None}
    actions = plan(seen.wanted.registration, seen.found, sends_key=anew or not is_known)
    return tuple(
        action
        for action in actions
        if not (action.row.id in paused and {one.column for one in action.because} == {"statecode"})
    )


async def register(
    registry: Registry,
    database: Database,
    seen: Look,
    actions: Sequence[Action],
    *,
    choice: StepChoice,
    key: str,
    by: Principal,
    now: datetime,
    progress: Progress = lambda _: None,
) -> None:
    """Do what was planned, in order, and remember it with whoever did it.

    What is wanted is written down first, so that a stop in the middle is told; the command goes on
    from there when it is given again.
    """
    sent = any(action.sends_key for action in actions)
    digest = None if sent or seen.known is None else seen.known.key_digest
    await database.write(
        lambda c: stored.intend(
            c,
            seen.wanted.registration,
            seen.surroundings,
            choice=choice,
            key_digest=digest,
            by=by,
            now=now,
        ),
        failpoint=INTENDED,
    )
    for action in actions:
        progress(action)
        await carry_out(action, registry, offers=seen.offers, key=key)
    await database.write(
        lambda c: stored.finish(c, key_digest=key_digest_of(key)), failpoint=REMEMBERED
    )


async def unregister(
    registry: Registry,
    database: Database,
    found: Registration,
    *,
    by: Principal,
    now: datetime,
    progress: Progress = lambda _: None,
) -> None:
    """Remove all that is ours, the endpoint last, and remember who did it."""
    for action in plan(Registration(None), found, sends_key=False):
        progress(action)
        await carry_out(action, registry, offers={}, key=None)
    await database.write(lambda c: stored.forget(c, by=by, now=now), failpoint=REMEMBERED)


async def accept(
    database: Database, seen: Look, *, by: Principal, reason: str, now: datetime
) -> None:
    """Remember that a person accepts what stands there now. Raises Conflict for what never was."""
    if seen.known is None:
        raise Conflict(
            "Nothing was registered, so there is nothing to accept.",
            hint="`mailbox-guard dataverse register` makes the registration.",
        )
    present = (*seen.assessment.deviations, *seen.assessment.accepted)
    await database.write(
        lambda c: stored.accept(c, present, seen.surroundings, by=by, reason=reason, now=now),
        failpoint=REMEMBERED,
    )


async def pause(registry: Registry, organization_id: str, wanted: Pause) -> tuple[Step, ...]:
    """Switch the synchronous steps off until then; return them.

    One that is paused already gets the new end. One that somebody switched off is left: that is no
    pause. Raises InputRefused when name and reason are too long, before anything is written.
    """
    description = wanted.description
    found = await read(registry, organization_id)
    steps = tuple(
        step
        for step in found.steps
        if step.is_synchronous and (step.is_enabled or pause_of(step) is not None)
    )
    for step in steps:
        await registry.switch(step.id, statecode=DISABLED, description=description)
    return steps


async def resume(registry: Registry, organization_id: str) -> tuple[Step, ...]:
    """Switch on again what a pause has switched off; return those steps."""
    found = await read(registry, organization_id)
    steps = tuple(step for step in found.steps if pause_of(step) is not None)
    await end_pauses(registry, steps)
    return steps


async def end_pauses(registry: Registry, steps: Sequence[Step]) -> None:
    """Switch these steps on and take the pause out of their descriptions."""
    for step in steps:
        await registry.switch(step.id, statecode=ENABLED, description="")
