"""`mailbox-guard audit`: Microsoft's own audit records against what the guard saw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.context import open_readable, settings_of
from console.output import Output, counted, emit, output_option

if TYPE_CHECKING:
    from console.audit.comparison import AuditComparison


@click.group(help="Compare Microsoft's own audit with ours.")
def audit() -> None:
    """Group the commands about the audit of others."""


@audit.command(
    name="import", help="List reads and edits that Microsoft recorded and the guard did not see."
)
@click.argument(
    "files",
    metavar="FILE...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
)
@click.option(
    "--known-app",
    "known_apps",
    metavar="ID",
    multiple=True,
    help="An application that may read mailboxes, by its id: what it read is counted, not listed.",
)
@output_option()
@click.pass_context
def import_command(
    ctx: click.Context,
    files: Sequence[Path],
    known_apps: Sequence[str],
    outputs: Sequence[Output],
) -> int:
    """Exit 0 when everything was seen, 1 when something was not; nothing is stored."""
    from console.audit.comparison import AuditComparison
    from console.audit.records import Unread, read_file, understood
    from console.audit.seen import SeenInDatabase
    from console.progress import progress

    settings = settings_of(ctx)
    own = {one.strip("{} ").lower() for one in (settings.client_id, settings.sync_client_id) if one}
    known = {one.strip("{} ").lower() for one in known_apps}

    def run(connection: Any) -> AuditComparison:
        comparison = AuditComparison(SeenInDatabase(connection), own_apps=own, known_apps=known)
        done = 0
        for file in files:
            for found in read_file(file):
                done += 1
                if done % 1000 == 0:
                    advance(done, None)
                if isinstance(found, Unread):
                    comparison.take(found)
                elif comparison.is_new(found[0]):
                    comparison.take(understood(found[1], str(file)))
        return comparison

    with progress("records") as advance, open_readable(settings) as database:
        comparison = database.read_now(run)
    emit(outputs, _told(comparison, own), text=lambda: _text_of(comparison, own))
    return 1 if comparison.unseen else 0


def _told(comparison: AuditComparison, own: set[str]) -> dict[str, Any]:
    from guard.ledger.entry import iso

    return {
        "own_apps": sorted(own),
        "unseen": [one.as_json() for one in comparison.unseen],
        "counts": dict(sorted(comparison.counts.items())),
        "inconclusive": {why.value: count for why, count in comparison.inconclusive.items()},
        "not_recorded_by_microsoft": [
            {"mailbox": one.mailbox, "from": iso(one.begin), "to": iso(one.end)}
            for one in comparison.blind
        ],
        "other_operations": dict(sorted(comparison.others.items())),
        "unreadable": [{"where": one.where, "why": one.why} for one in comparison.unread],
    }


def _text_of(comparison: AuditComparison, own: set[str]) -> str:
    from console.audit.comparison import Inconclusive, UnseenKind
    from guard.ledger.entry import iso

    lines: list[str] = []
    kind: UnseenKind | None = None
    for one in comparison.unseen:
        if one.kind is not kind:
            kind = one.kind
            lines.append(f"{kind.value}: {kind.doc}")
        when = iso(one.first) if one.first == one.last else f"{iso(one.first)} to {iso(one.last)}"
        what = f", {', '.join(sorted(one.columns))}" if one.columns else ""
        items = f", {counted(one.items, 'item')}" if one.items else ""
        lines.append(f"  {when}  {one.who}  {one.what}{what}{items}")
    for gap in comparison.blind:
        lines.append(
            f"not recorded by Microsoft: {gap.mailbox or 'a mailbox without a name'}, "
            f"{iso(gap.begin)} to {iso(gap.end)}: what was read then is in no record."
        )
    for why, count in sorted(comparison.inconclusive.items()):
        lines.append(f"inconclusive  {count}  {Inconclusive(why).doc}")
    for bad in comparison.unread:
        lines.append(f"unreadable  {bad.where}: {bad.why}")
    counts = comparison.counts
    if counts["unread"] > len(comparison.unread):
        lines.append(f"unreadable  {counts['unread'] - len(comparison.unread)} more")
    if not own:
        lines.append("No application of ours is set, so every application is another one.")
    lines.append(
        f"{counted(counts['mail_reads'], 'read')} of mail: {counts['own_app_logged']} in the "
        f"access log, {counts['by_owner']} by the owner, {counts['known_apps']} by known "
        f"applications, {counts['elsewhere']} of other mailboxes."
    )
    lines.append(
        f"{counted(counts['edits'], 'edit')} of rows: {counts['decided']} decided, "
        f"{counts['other_columns'] + counts['other_tables']} of what is not guarded."
    )
    lines.append(
        f"{counts['repeats']} records came twice, {counts['others']} are about something else."
    )
    return "\n".join(lines)
