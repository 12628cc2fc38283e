"""`mailbox-guard decisions`: what was decided, why, and whether the record is unaltered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from console.context import open_prepared, open_readable, settings_of
from console.ledger.export import export, pseudonym
from console.ledger.retain import mask, prune
from console.ledger.wanted import filter_options
from console.output import FORMATS, Output, counted, emit, output_option, plain
from console.times import PastType
from kernel.errors import InputRefused

if TYPE_CHECKING:
    from datetime import datetime

    from guard.ledger.anchor import Anchor
    from guard.ledger.filters import DecisionFilter
    from kernel.database import Database
    from kernel.settings import Secret, Settings

_SECOND, _NOTES = Path("database"), Path("dataverse")
LIST_FORMATS = (*FORMATS, "csv")


@click.group(help="List, show and verify decisions.")
def decisions() -> None:
    """Group the commands that read the ledger."""


decisions.add_command(export)
decisions.add_command(pseudonym)
decisions.add_command(mask)
decisions.add_command(prune)


@decisions.command(name="list", help="List edits and how they were decided, newest first.")
@filter_options
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="How many.")
@click.option("--each", is_flag=True, help="An entry for each decision; JSON always has one.")
@click.option("--follow", is_flag=True, help="Go on with what is decided from now on.")
@output_option(LIST_FORMATS)
@click.pass_context
def list_command(
    ctx: click.Context,
    /,
    limit: int,
    each: bool,
    follow: bool,
    outputs: Sequence[Output],
    **wanted: Any,
) -> None:
    """Tell who changed what, when it was seen, and what was decided; ids may be cut short."""
    from console.edits import csv_of, edits_of, events_of, text_of
    from guard.ledger.filters import DecisionFilter, refuse_misspelt
    from guard.ledger.listing import list_decisions

    asked = DecisionFilter(**wanted)
    with open_readable(settings_of(ctx)) as database:
        database.read_now(lambda c: refuse_misspelt(c, asked))
        if follow:
            asyncio.run(_follow(database, asked, _followed(outputs), each=each, newest=limit))
        # The two decisions of an edit are one entry.
        found = database.read_now(lambda c: list_decisions(c, asked, limit=2 * limit))
    entries = (events_of if each else edits_of)(found)[:limit]
    emit(
        outputs,
        found[:limit],
        text=lambda: text_of(entries) or "No decision fits.",
        csv=lambda: csv_of(entries),
    )


def _followed(outputs: Sequence[Output]) -> str:
    """Return the one format in which decisions are told as they come."""
    if len(outputs) > 1 or any(one.file for one in outputs):
        raise click.UsageError("--follow writes to stdout, in one format.")
    return outputs[0].format if outputs else "text"


async def _follow(
    database: Database, asked: DecisionFilter, form: str, *, each: bool, newest: int
) -> NoReturn:
    """Print decisions as they are made until somebody interrupts; JSON is a line for each."""
    from console.edits import csv_of, events_of, text_of
    from console.following import follow
    from kernel.clock import SystemClock

    is_first = True
    async for found in follow(database, SystemClock(), asked, newest=newest):
        # What is confirmed later has been told.
        entries = [one for one in events_of(found) if each or not one["confirms"]]
        if form == "json":
            lines = [json.dumps(one, ensure_ascii=False, default=str) for one in found]
            click.echo("\n".join(lines))
        elif entries:
            click.echo(csv_of(entries, head=is_first) if form == "csv" else plain(text_of(entries)))
        is_first = False
    raise AssertionError("What is followed has no end.")


@decisions.command(help="Show one decision whole.")
@click.argument("decision_id", metavar="ID")
@output_option()
@click.pass_context
def show(ctx: click.Context, decision_id: str, outputs: Sequence[Output]) -> None:
    """Print the decision with its findings, facts and obligations."""
    from console.readings.edit import edit_of

    with open_readable(settings_of(ctx)) as database:
        found = database.read_now(lambda c: edit_of(c, decision_id))
    emit(outputs, found, text=lambda: _show_text(found))


def _told(values: Mapping[str, str | None]) -> str:
    """Return names with their values; what there is none of is left out."""
    return ", ".join(f"{name} {value}" for name, value in values.items() if value)


def _named(one: str, names: Mapping[str, str]) -> str:
    return f"{one} ({names[one]})" if one in names else one


def _show_text(found: dict[str, Any]) -> str:
    from console.edits import actor_text, changed_text, fact_text, seen

    names = found["names"]
    table = found["table"] or "an unknown table"
    by = {"by": actor_text(found), "seen": seen(found), "id": found["id"]}
    decided = {
        "decided at": found["decided_at"],
        "cause": found["cause"],
        "policy set": (found["policy_set"] or "")[:12],
    }
    ids = {
        "initiated by": found["initiating_user_id"], "correlation": found["correlation_id"],
    }  # fmt: skip
    what = f"{found['operation'] or 'event'} of {table} {_named(found['record_id'] or '', names)}"
    lines = [
        f"{found['decision'].upper()}  {what.rstrip()}",
        f"  {changed_text(found)}",
        f"  {_told(by)}",
        f"  {_told(decided)}",
        *([f"  {_told(ids)}"] if any(ids.values()) else []),
    ]
    for finding in found.get("findings") or ():
        lines.append(f"  {finding['effect']:6} {finding['policy']}/{finding['rule']}")
        lines.append(f"         {finding['message']}")
        if finding.get("help"):
            lines.append(f"         fix: {finding['help']}")
    for one in found.get("facts") or ():
        known = names.get(one["value"]) if isinstance(one["value"], str) else None
        lines.append(f"  fact   {fact_text(one)}{f', {known}' if known else ''}")
    for name, why in sorted(((found["private"] or {}).get("missing") or {}).items()):
        lines.append(f"  lacks  {name}: {why}")
    for one in found["obligations"]:
        said = ". ".join(str(one[name]).rstrip(".") for name in ("result", "hint") if one[name])
        lines.append(f"  then   {one['kind']}: {one['state']}{f' ({said})' if said else ''}")
    if found["masked"]:
        lines.append("  The private part of this record was masked.")
    return "\n".join(lines)


@decisions.command(help="Let obligations that need a person be tried again.")
@click.argument("decision_ids", metavar="[ID]...", nargs=-1)
@click.option("--all", "of_all", is_flag=True, help="Those of every decision.")
@click.pass_context
def retry(ctx: click.Context, decision_ids: tuple[str, ...], of_all: bool) -> int:
    """Exit 0 when there were any, 1 when there were none; the serving process carries them out."""
    from guard.obligations.table import KINDS
    from kernel.clock import SystemClock
    from kernel.tasks import release
    from kernel.workers import LET_GO_ON

    if of_all == bool(decision_ids):
        raise click.UsageError("Name the decisions, or say --all.")
    owners = None if of_all else [one.lower() for one in decision_ids]
    now = SystemClock().now()
    with open_prepared(settings_of(ctx)) as database:
        count = database.write_now(
            lambda c: release(c, now=now, kinds=KINDS, owners=owners), failpoint=LET_GO_ON
        )
    if not count:
        click.echo("No obligation needs a person.")
        return 1
    click.echo(f"{counted(count, 'obligation')} will be tried again.")
    return 0


@decisions.command(help="Print the heads of the ledger as one line to keep elsewhere.")
@click.pass_context
def anchor(ctx: click.Context) -> None:
    """Print one line of JSON, signed where a key is set."""
    from console.anchoring import signing_key
    from guard.ledger.anchor import line_of, statement_of
    from kernel.clock import SystemClock

    settings = settings_of(ctx)
    key = signing_key(settings)
    with open_readable(settings) as database:
        statement = database.read_now(lambda c: statement_of(c, now=SystemClock().now()))
    click.echo(line_of(statement, key))
    if key is None:
        click.echo(
            "It is unsigned: MAILBOX_GUARD_ANCHOR_KEY_FILE names no key. Keep it where nobody who "
            "may write to the database can write.",
            err=True,
        )


@decisions.command(help="Walk the whole ledger and prove that nothing was altered or cut off.")
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE|database|dataverse",
    help="Anchors that were kept elsewhere: all that they state must be there still. `database` is "
    "the one of MAILBOX_GUARD_ANCHOR_DATABASE_URL, `dataverse` the notes there.",
)
@click.option(
    "--public-key",
    "public_keys",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    multiple=True,
    help="PEM file of the key by which they must be signed. Else that of the settings, if any.",
)
@click.option(
    "--export",
    "exported",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Hold this exported file against its envelope instead; no database is needed.",
)
@output_option()
@click.pass_context
def verify(
    ctx: click.Context,
    against: Path | None,
    public_keys: tuple[Path, ...],
    exported: Path | None,
    outputs: Sequence[Output],
) -> int:
    """Exit 0 when the ledger is whole, 1 with the first bad id when it is not."""
    if exported is not None:
        from console.ledger.proof import prove_export

        if against is not None:
            raise click.UsageError("--export proves a file alone; --against is for the ledger.")
        return prove_export(ctx, exported, public_keys, outputs)
    from console.anchoring import signing_key
    from guard.ledger.anchor import read_anchors, read_public_key, untrusted
    from guard.ledger.verify import verify as verify_ledger

    settings = settings_of(ctx)
    anchors: list[Anchor] = []
    if against == _SECOND:
        from console.second_database import SecondDatabase

        anchors = SecondDatabase(_second_url(settings)).read()
    elif against == _NOTES:
        anchors = asyncio.run(_noted_anchors(settings))
    elif against is not None:
        anchors = read_anchors(against)
    keys = [read_public_key(file) for file in public_keys]
    own = signing_key(settings) if against is not None and not keys else None
    keys += [own.public] if own is not None else []
    with open_readable(settings) as database:
        verdict = database.read_now(lambda c: verify_ledger(c, anchors))
    bad_id, reason = verdict.first_bad_id, verdict.reason
    if reason is None:
        reason = untrusted(anchors, keys)
        bad_id = None if reason is None else "anchor"
    result = {
        "whole": reason is None,
        "checked": verdict.checked,
        "chains": verdict.chains,
        "masked": verdict.masked,
        "pruned": verdict.pruned,
        "acts": verdict.acts,
        "approvals": verdict.approvals,
        "anchors": len(anchors),
        "anchored_at": anchors[-1].made_at.isoformat() if anchors else None,
        "signed_by": anchors[-1].key if anchors else None,
        "first_bad_id": bad_id,
        "reason": reason,
    }

    def text() -> str:
        if reason is not None:
            return f"Not whole: {bad_id}: {reason}."
        told = (
            f"Whole: {counted(verdict.checked, 'decision')} in "
            f"{counted(verdict.chains, 'chain')}, {verdict.masked} masked, "
            f"{verdict.pruned} pruned, "
            f"{counted(verdict.acts, 'act')}, {counted(verdict.approvals, 'approval')}"
        )
        if anchors:
            told += f", against {counted(len(anchors), 'anchor')} up to {result['anchored_at']}"
        return f"{told}."

    emit(outputs, result, text=text)
    if anchors and not keys:
        how = "unsigned" if anchors[-1].key is None else f"signed by {anchors[-1].key}"
        click.echo(f"The newest anchor is {how}; no key says whose it is.", err=True)
    return 0 if reason is None else 1


def _second_url(settings: Settings) -> Secret:
    if not settings.anchor_database_url:
        raise InputRefused(
            "MAILBOX_GUARD_ANCHOR_DATABASE_URL names no database.",
            hint="Set it, or name a file of anchors.",
        )
    return settings.anchor_database_url


async def _noted_anchors(settings: Settings) -> list[Anchor]:
    from console.anchor_notes import AnchorNotes
    from console.wiring.connections import connect_guard
    from kernel.clock import SystemClock

    clock = SystemClock()
    connections = connect_guard(settings, clock)
    try:
        return await AnchorNotes(connections.dataverse, clock, every_seconds=1).read()
    finally:
        await connections.aclose()


@decisions.command(name="to-test", help="Write a recorded decision as a test case of policies.")
@click.argument("decision_id", metavar="ID")
@click.pass_context
def to_test(ctx: click.Context, decision_id: str) -> None:
    """Print a test file: this change, these facts, exactly this outcome."""
    from console.drafts import case_text, recorded_change
    from rules.load.loader import catalogue_of

    settings = settings_of(ctx)
    with open_readable(settings) as database:
        past = database.read_now(lambda c: recorded_change(c, decision_id))
    click.echo(case_text(past, catalogue_of(settings.policies_dir)), nl=False)


@decisions.command(help="Decide recorded changes again, by the policies recorded with them.")
@click.argument("decision_id", metavar="[ID]", required=False)
@click.option("--since", type=PastType(), help="Without ID: all since then: 2h, 7d, or a date.")
@click.option("--until", type=PastType(), help="Without ID: all before then.")
@output_option()
@click.pass_context
def replay(
    ctx: click.Context,
    decision_id: str | None,
    since: datetime | None,
    until: datetime | None,
    outputs: Sequence[Output],
) -> int:
    """Exit 0 when the same comes out, 1 when not, 2 when it can't be decided again.

    Of many: 1 when any comes out otherwise, 2 when not one could be decided again.
    """
    if decision_id is None:
        return _replay_range(ctx, since, until, outputs)
    if since is not None or until is not None:
        raise click.UsageError("Name a decision, or a range of time.")
    from console.policy.recorded import find_recorded
    from console.readings.again import replayed

    past, policy_set = find_recorded(ctx, decision_id)
    if policy_set is None:
        raise InputRefused(
            f"The policy set of the decision {decision_id} isn't recorded.",
            hint="`policy simulate` decides recorded changes by another set.",
        )
    result = replayed(past, policy_set)
    decided, recorded = result["decided"], result["recorded"]
    outcome, rules, is_same = decided["decision"], decided["rules"], result["same"]

    def text() -> str:
        by = f" by {', '.join(rules)}" if rules else ""
        if is_same:
            return f"The same: {outcome}{by}, policy set {policy_set.digest[:12]}."
        was = f" by {', '.join(recorded['rules'])}" if recorded["rules"] else ""
        return f"Not the same: recorded is {past.outcome}{was}, decided again {outcome}{by}."

    emit(outputs, result, text=text)
    return 0 if is_same else 1


def _replay_range(
    ctx: click.Context, since: datetime | None, until: datetime | None, outputs: Sequence[Output]
) -> int:
    from console.policy.simulate import tally_text
    from console.progress import progress
    from guard.ledger.replay import batches, count_decisions, find_set
    from rules.replay.repeat import Repetition

    def run(connection: Any) -> Repetition:
        repetition = Repetition(lambda digest: find_set(connection, digest))
        total, done = count_decisions(connection, since=since, until=until), 0
        for batch in batches(connection, since=since, until=until):
            repetition.take_rows(batch.rows)
            done += len(batch.rows)
            advance(done, max(total, done))
        return repetition

    with progress("decided again") as advance, open_readable(settings_of(ctx)) as database:
        tally = database.read_now(run).tally
    otherwise = tally.differing + tally.other_rules
    apart = sum(cell.count for cell in tally.unreplayable.values())
    told = {
        "same": tally.replayed - otherwise,
        "otherwise": otherwise,
        "not_evaluable": apart,
        **tally.as_json(),
    }
    emit(outputs, told, text=lambda: tally_text(tally))
    if otherwise:
        return 1
    return 2 if apart and not tally.replayed else 0
