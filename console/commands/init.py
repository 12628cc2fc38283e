"""`mailbox-guard init`: five questions, then settings, a fitted policy folder, and what is next."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.context import settings_of
from console.operator import by_option
from console.output import counted, write_whole
from kernel.errors import GuardError, InputRefused
from kernel.settings import FILE_NAME, Settings

if TYPE_CHECKING:
    from console.day_one.answers import Answers
    from console.day_one.learning import Learnt

POLICIES = "policies"
_MOST_SHOWN = 5


@click.command(help="Write settings and policies that fit, and say what to do next.")
@click.argument(
    "folder", type=click.Path(file_okay=False, path_type=Path), required=False, default=Path()
)
@click.option("--dataverse-url", metavar="URL", help="Origin of the Dataverse organisation.")
@click.option("--tenant-id", metavar="ID", help="Id or domain of the Entra tenant.")
@click.option("--client-id", metavar="ID", help="Id of the guard's app registration.")
@click.option(
    "--domain",
    "domains",
    multiple=True,
    help="A domain of the organisation; may be repeated. Else those that Entra tells.",
)
@click.option(
    "--vip",
    "vips",
    multiple=True,
    metavar="ADDRESS",
    help="Somebody whose mailbox nobody else must read; may be repeated.",
)
@click.option(
    "--url",
    metavar="URL",
    help="Register asynchronous steps in Dataverse, where the guard observes already at this URL.",
)
@by_option
@click.option(
    "--offline", is_flag=True, help="Ask no service: all that is written comes from the answers."
)
@click.option("--yes", "asks_nothing", is_flag=True, help="Ask nobody: take options and settings.")
@click.option("--force", is_flag=True, help="Write over files that are there already.")
@click.pass_context
def init(
    ctx: click.Context,
    /,
    folder: Path,
    url: str | None,
    by: str | None,
    offline: bool,
    asks_nothing: bool,
    force: bool,
    **given: Any,
) -> int:
    """Secrets come from the environment and are written nowhere; nothing is overwritten unasked."""
    if url is not None and offline:
        raise click.UsageError("--url registers in Dataverse; it takes no --offline.")
    known = settings_of(ctx)
    asking = _Asking(asks_nothing or not sys.stdin.isatty())
    settings = replace(
        known,
        dataverse_url=given["dataverse_url"]
        or asking.ask(
            "1. Origin of the Dataverse organisation (https://contoso.crm.dynamics.com)",
            known.dataverse_url,
        ),
        tenant_id=given["tenant_id"] or asking.ask("2. Id of the Entra tenant", known.tenant_id),
        client_id=given["client_id"]
        or asking.ask("3. Id of the guard's app registration", known.client_id),
    )
    learnt = None if offline else _learnt(settings)
    if learnt is not None:
        for text in learnt.unanswered:
            click.echo(text, err=True)
    answers = _answers(settings, learnt, given["domains"], given["vips"], asking)
    written = _write(folder, answers, force=force)
    click.echo(written)
    is_registered = False
    with chdir(folder):
        if learnt is not None:
            _tell_scan(replace(settings, policies_dir=Path(POLICIES)))
        if url is not None:
            is_registered = _register(ctx, url, by)
    click.echo(_next_steps(folder, answers, learnt, is_registered=is_registered))
    return 0 if is_registered or url is None else 1


class _Asking:
    """The questions, which nobody is asked where nobody is there."""

    def __init__(self, is_silent: bool) -> None:
        self._is_silent = is_silent

    def ask(self, question: str, default: str) -> str:
        """Return the answer; the default where nothing, or nobody, answers."""
        if self._is_silent:
            return default
        answer: str = click.prompt(question, default=default, err=True)
        return answer.strip()


def _learnt(settings: Settings) -> Learnt | None:
    """Return what the services tell; None, with the reason told, where they cannot be asked."""
    from console.wiring.connections import connect_guard
    from kernel.clock import SystemClock

    try:
        connections = connect_guard(settings, SystemClock())
    except GuardError as error:
        click.echo(f"No service is asked: {error.message}", err=True)
        return None

    async def ask() -> Learnt:
        from console.day_one.learning import learn

        try:
            return await learn(
                connections.tenant.within(15.0, urgent=False),
                connections.dataverse.within(15.0, urgent=False),
            )
        finally:
            await connections.aclose()

    return asyncio.run(ask())


def _answers(
    settings: Settings,
    learnt: Learnt | None,
    domains: tuple[str, ...],
    vips: tuple[str, ...],
    asking: _Asking,
) -> Answers:
    from console.day_one.answers import Answers

    told = learnt.domains if learnt is not None else ()
    chosen = domains or _split(asking.ask("4. Domains of its addresses", ", ".join(told)))
    named = vips or _split(asking.ask("5. Whose mailboxes must nobody else read (addresses)", ""))
    return Answers(
        domains=tuple(one.lower() for one in chosen),
        vips=named,
        dataverse_url=settings.dataverse_url,
        tenant_id=settings.tenant_id,
        client_id=settings.client_id,
        profiles=tuple(one for one, _ in learnt.profiles) if learnt is not None else (),
        approver_role_id=(learnt.approver_role_id if learnt is not None else "")
        or settings.delegated_approver_role_id,
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _write(folder: Path, answers: Answers, *, force: bool) -> str:
    """Write everything, or nothing where a file is in the way; return what was written."""
    from console.day_one.fitted import fitted_texts, unfit
    from console.day_one.passing import passing, write_all
    from console.day_one.settings_file import settings_text
    from rules.syntax.folder import read_folder
    from rules.syntax.shipped import shipped_folder

    fitted = passing(fitted_texts(read_folder(shipped_folder(), []), answers))
    policies, settings_file = folder / POLICIES, folder / FILE_NAME
    texts = {settings_file: settings_text(answers, policies=POLICIES)}
    texts |= {policies / path: text for path, text in fitted.texts.items()}
    there = sorted(str(path) for path in (*texts, policies) if path.exists())
    if there and not force:
        more = f" and {len(there) - 1} more" if len(there) > 1 else ""
        raise InputRefused(
            f"{there[0]}{more} is there already; nothing was written.",
            hint="Name another folder, or give --force to write over what is there.",
        )
    try:
        write_all(policies, fitted.texts)
    except OSError as error:
        raise InputRefused(
            f"{policies} cannot be written: {error.strerror}.",
            hint="Name a folder that can be written.",
        ) from error
    write_whole(settings_file, texts[settings_file])
    _write_schemas(policies)
    lists = f"{counted(len(answers.domains), 'domain')}, {counted(len(answers.vips), 'VIP')}, "
    lists += counted(len(answers.profiles), "server profile")
    told = [
        f"Written: {settings_file} (no secret in it) and {policies} ({lists}).",
        f"{counted(fitted.cases, 'test case')} pass; {fitted.left_out} of the sample's did not fit "
        "and stayed away.",
    ]
    told += [f"The policy {name} is left out: {why}." for name, why in unfit(answers).items()]
    return "\n".join(told)


def _write_schemas(policies: Path) -> None:
    """Write the JSON Schemas by which editors complete and explain."""
    from rules.load.loader import catalogue_of
    from rules.schema.generate import schema_texts

    home = policies / "schema"
    home.mkdir(exist_ok=True)
    for name, text in schema_texts(catalogue_of(policies)).items():
        write_whole(home / name, text)


def _register(ctx: click.Context, url: str, by: str | None) -> bool:
    """Register asynchronous steps by the settings that were written; tell why where that fails."""
    from console.commands.dataverse import register

    ctx.find_root().obj = Path(FILE_NAME)
    try:
        ctx.invoke(
            register,
            url=url,
            steps="async",
            plans=False,
            resend_key=False,
            unsafe_skip_probe=False,
            by=by,
            outputs=(),
        )
    except GuardError as error:
        click.echo(f"Nothing was registered: {error.message}", err=True)
        if error.hint:
            click.echo(f"hint: {error.hint}", err=True)
        return False
    return True


def _tell_scan(settings: Settings) -> None:
    """Show what is in Dataverse already, judged by the new policies; a failure is told, no more."""
    from collections import Counter

    from console.commands.scan import judged_rows

    try:
        listed: list[dict[str, Any]] = asyncio.run(judged_rows(settings))
    except GuardError as error:
        click.echo(f"What is in Dataverse could not be judged: {error.message}", err=True)
        return
    counts = Counter(str(one["result"]) for one in listed)
    told = ", ".join(f"{count} {result}" for result, count in sorted(counts.items()))
    click.echo(f"\nIn Dataverse now: {counted(len(listed), 'address', 'addresses')}: {told}.")
    failing = [one for one in listed if one["result"] in ("fail", "hold", "error")]
    for one in failing[:_MOST_SHOWN]:
        click.echo(f"  {one['result']:<6} {one['address']}: {', '.join(one['rules'])}")
    if len(failing) > _MOST_SHOWN:
        click.echo(f"  and {len(failing) - _MOST_SHOWN} more: `mailbox-guard scan`")


def _next_steps(
    folder: Path, answers: Answers, learnt: Learnt | None, *, is_registered: bool
) -> str:
    roles = ", ".join(learnt.approving_roles) if learnt is not None else ""
    who = f"  Who may approve: {roles or 'Global and Exchange Administrators'}"
    who += (
        f", and the role {answers.approver_role_id} (Delegated Mailbox Approver)."
        if answers.approver_role_id
        else "; the role Delegated Mailbox Approver is not known yet, see docs/dataverse-setup.md."
    )
    register = (
        "mailbox-guard dataverse status           # what is registered there"
        if is_registered
        else "mailbox-guard dataverse register --steps async --url URL   # the guard's address"
    )
    where = "" if folder.resolve() == Path(os.getcwd()).resolve() else f"cd {folder}\n    "
    return f"""
{who}

Today
    {where}export MAILBOX_GUARD_CLIENT_SECRET=...   # or client_certificate_file in {FILE_NAME}
    export MAILBOX_GUARD_WEBHOOK_KEYS=...    # 32 random characters or more
    mailbox-guard doctor                     # what is missing, and the mend
    mailbox-guard serve                      # observes: nothing is rejected yet
    {register}

Next week
    mailbox-guard decisions list --decision reject   # what would have been rejected, and why
    Mend the policies where they are wrong, the rows where those are: `mailbox-guard scan`.
    Set enforcement = "enforce", restart, and let it stop what is wrong before it is saved:
    mailbox-guard dataverse register --steps both"""
