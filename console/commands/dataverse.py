"""`mailbox-guard dataverse`: the registration in Dataverse is made, looked at, paused, removed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import click

from console.context import open_prepared, settings_of
from console.operator import account, by_option, operator_name
from console.output import Output, counted, emit, output_option, table
from console.times import ComingType
from kernel.clock import SystemClock
from kernel.errors import SettingInvalid

if TYPE_CHECKING:
    from guard.ports.registry import Registry
    from guard.registration.desired import StepChoice
    from guard.registration.plan import Action
    from guard.registration.register import Look
    from kernel.database import Database
    from kernel.settings import Settings

Done = TypeVar("Done")
_CHOICES = ("both", "async")


@click.group(help="Register the guard in Dataverse, and see what stands there.")
def dataverse() -> None:
    """Group the commands on the registration."""


def _written(ctx: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    """Return the text without blanks around it; one that says nothing is wrong usage."""
    if text is not None and not text.strip():
        raise click.BadParameter("It is blank: say why in a few words.")
    return text.strip() if text is not None else None


@dataverse.command(help="Make the registration in Dataverse, or mend it.")
@click.option("--url", help="Where Dataverse reaches the guard; else as registered before.")
@click.option(
    "--steps",
    type=click.Choice(_CHOICES),
    help="both (default), or async: nothing is stopped, everything is seen; else as before.",
)
@click.option("--plan", "plans", is_flag=True, help="Say what would be written; write nothing.")
@click.option("--resend-key", is_flag=True, help="Send the key even where it is the known one.")
@click.option(
    "--unsafe-skip-probe",
    is_flag=True,
    help="Do not ask the guard at the URL first whether it takes the key.",
)
@by_option
@output_option()
@click.pass_context
def register(
    ctx: click.Context,
    url: str | None,
    steps: str | None,
    plans: bool,
    resend_key: bool,
    unsafe_skip_probe: bool,
    by: str | None,
    outputs: Sequence[Output],
) -> None:
    """Write what differs, in a safe order; given again it goes on where it stopped."""
    from console.probing import require_taken
    from console.readings.registration import action_line, plan_text, shown_plan, url_of
    from guard.registration import register as registering

    settings, clock = settings_of(ctx), SystemClock()
    key = _key(settings)
    person = None if plans else account(by)

    async def do(registry: Registry, database: Database, organization_id: str) -> _Result:
        seen, choice = await _look(
            settings, registry, database, organization_id, url=url, steps=steps
        )
        actions = registering.planned(seen, key=key, anew=resend_key)
        if person is not None:
            if not unsafe_skip_probe:
                await require_taken(url_of(seen), key, ca_bundle_file=settings.ca_bundle_file)
            await registering.register(
                registry,
                database,
                seen,
                actions,
                choice=choice,
                key=key,
                by=person,
                now=clock.now(),
                progress=lambda one: click.echo(action_line(one), err=True),
            )
        return seen, actions

    seen, actions = _with_registry(settings, do)
    emit(
        outputs,
        shown_plan(seen, actions),
        text=lambda: (
            plan_text(seen, actions) if plans else f"{counted(len(actions), 'row')} written."
        ),
    )
    if not plans:
        click.echo("The registration is as it should be.", err=True)


_Result = tuple["Look", Sequence["Action"]]


@dataverse.command(help="Say what stands in Dataverse, and what differs from what should.")
@click.option("--accept", is_flag=True, help="Accept what differs now; your name is recorded.")
@click.option("--reason", callback=_written, help="Why it is accepted; it is recorded.")
@by_option
@output_option()
@click.pass_context
def status(
    ctx: click.Context,
    accept: bool,
    reason: str | None,
    by: str | None,
    outputs: Sequence[Output],
) -> int:
    """Exit 1 when something differs that nobody has accepted, or the steps are paused."""
    from console.readings.registration import is_clean, shown_status, status_text
    from guard.registration import register as registering

    if accept and reason is None:
        raise click.UsageError("--accept needs a --reason.")
    settings, clock = settings_of(ctx), SystemClock()
    person = account(by) if accept else None

    async def do(registry: Registry, database: Database, organization_id: str) -> Look:
        seen, _ = await _look(settings, registry, database, organization_id)
        if person is not None:
            await registering.accept(
                database, seen, by=person, reason=reason or "", now=clock.now()
            )
            seen, _ = await _look(settings, registry, database, organization_id)
        return seen

    seen = _with_registry(settings, do)
    emit(outputs, shown_status(seen), text=lambda: status_text(seen))
    return 0 if is_clean(seen) else 1


@dataverse.command(help="Remove everything that is ours from Dataverse.")
@click.option("--plan", "plans", is_flag=True, help="Say what would be removed; remove nothing.")
@by_option
@output_option()
@click.pass_context
def unregister(ctx: click.Context, plans: bool, by: str | None, outputs: Sequence[Output]) -> None:
    """Remove steps, images and endpoint; from then on the guard sees nothing."""
    from console.readings.registration import action_line, actions_text, shown_action
    from guard.ports.registry import Registration
    from guard.registration import register as registering
    from guard.registration.plan import plan

    settings, clock = settings_of(ctx), SystemClock()
    person = None if plans else account(by)

    async def do(registry: Registry, database: Database, organization_id: str) -> Sequence[Action]:
        found = await registering.read(registry, organization_id)
        if person is not None:
            await registering.unregister(
                registry,
                database,
                found,
                by=person,
                now=clock.now(),
                progress=lambda one: click.echo(action_line(one), err=True),
            )
        return plan(Registration(None), found, sends_key=False)

    actions = _with_registry(settings, do)
    emit(outputs, [shown_action(one) for one in actions], text=lambda: actions_text(actions))


@dataverse.command(help="Switch the synchronous steps off for a while (break-glass).")
@click.option(
    "--until", required=True, type=ComingType(), help="When it ends: 2h, or a moment; 72h at most."
)
@click.option("--reason", required=True, callback=_written, help="Why; it is recorded.")
@click.option("--by", metavar="NAME", help="Who says so. Else asked for, or the account's name.")
@output_option()
@click.pass_context
def pause(
    ctx: click.Context, until: datetime, reason: str, by: str | None, outputs: Sequence[Output]
) -> int:
    """Need the credentials for Dataverse alone; exit 1 when there is nothing to pause."""
    from console.readings.registration import shown_steps, steps_text
    from guard.registration import register as registering
    from guard.registration.pause import pause_until

    settings, clock = settings_of(ctx), SystemClock()
    wanted = pause_until(until, by=operator_name(by), reason=reason, now=clock.now())
    steps = _without_database(
        settings, lambda registry, one: registering.pause(registry, one, wanted)
    )
    emit(outputs, shown_steps(steps), text=lambda: steps_text(steps))
    if not steps:
        click.echo("There is no synchronous step that could be paused.", err=True)
        return 1
    click.echo(
        f"Paused until {wanted.until.isoformat()}: edits go through, and are still judged "
        "afterwards. `mailbox-guard dataverse resume` ends it.",
        err=True,
    )
    return 0


@dataverse.command(help="End a pause: switch the synchronous steps on again.")
@output_option()
@click.pass_context
def resume(ctx: click.Context, outputs: Sequence[Output]) -> int:
    """Need the credentials for Dataverse alone; exit 1 when nothing is paused."""
    from console.readings.registration import shown_steps, steps_text
    from guard.registration import register as registering

    steps = _without_database(settings_of(ctx), registering.resume)
    emit(outputs, shown_steps(steps), text=lambda: steps_text(steps))
    if not steps:
        click.echo("Nothing is paused.", err=True)
        return 1
    return 0


@dataverse.command(help="List the privileges of the guard's application user, each with why.")
@output_option()
def role(outputs: Sequence[Output]) -> None:
    """Print the least role; nothing is asked."""
    from guard.registration.role import PRIVILEGES

    shown = [
        {"privilege": one.name, "occasion": one.occasion.value, "why": one.why}
        for one in PRIVILEGES
    ]
    emit(
        outputs,
        shown,
        text=lambda: table(
            ("privilege", "needed", "so that"),
            [(one["privilege"], one["occasion"], one["why"]) for one in shown],
        ),
    )


def _key(settings: Settings) -> str:
    """Return the key that Dataverse is to send: the first. Raises SettingInvalid without one."""
    from guard.webhook_keys import refuse_guessable
    from kernel.settings import PREFIX

    if not settings.webhook_keys:
        raise SettingInvalid(
            f"{PREFIX}WEBHOOK_KEYS is not set: Dataverse would have nothing to prove itself by.",
            hint="Set the keys that `serve` has; the first one is registered.",
        )
    refuse_guessable(key.reveal() for key in settings.webhook_keys)
    return settings.webhook_keys[0].reveal()


async def _look(
    settings: Settings,
    registry: Registry,
    database: Database,
    organization_id: str,
    *,
    url: str | None = None,
    steps: str | None = None,
) -> tuple[Look, StepChoice]:
    """Return what stands there beside what should; address and steps are as before unless given."""
    from console.policy_folder import PolicyFolder
    from guard.registration import register as registering
    from guard.registration import stored
    from guard.registration.desired import StepChoice
    from rules.engine.delivered import delivered_columns

    clock = SystemClock()
    known = await database.read(stored.find)
    if url is None and known is None:
        raise click.UsageError(
            "Nothing was registered yet: `dataverse register` needs a --url the first time."
        )
    address = known.url if url is None and known is not None else registering.checked_url(url or "")
    choice = known.choice if known is not None else StepChoice.BOTH
    if steps is not None:
        choice = StepChoice(steps)
    seen = await registering.look(
        registry,
        organization_id,
        url=address,
        choice=choice,
        named=delivered_columns(PolicyFolder.of(settings, clock).current),
        known=known,
        now=clock.now(),
    )
    return seen, choice


def _with_registry(
    settings: Settings, do: Callable[[Registry, Database, str], Awaitable[Done]]
) -> Done:
    """Do something with Dataverse and the database."""
    from console.wiring.organization import known_organization

    with open_prepared(settings) as database:
        return _without_database(
            settings,
            lambda registry, one: do(registry, database, one),
            known=known_organization(settings, database),
        )


def _without_database(
    settings: Settings,
    do: Callable[[Registry, str], Awaitable[Done]],
    *,
    known: str | None = None,
) -> Done:
    """Do something with Dataverse, once it is sure to be the organisation that is meant."""

    async def run() -> Done:
        from console.wiring.connections import connect_guard
        from console.wiring.organization import agreed_organization
        from guard.ports.dataverse_registry import DataverseRegistry
        from kernel.failpoints import failpoints_from

        clock, failpoints = SystemClock(), failpoints_from(settings.failpoint)
        connections = connect_guard(settings, clock, failpoints=failpoints)
        try:
            myself = await connections.dataverse.who_am_i()
            organization_id = agreed_organization(settings, myself.organization_id, known=known)
            return await do(DataverseRegistry(connections.dataverse), organization_id)
        finally:
            await connections.aclose()

    return asyncio.run(run())
