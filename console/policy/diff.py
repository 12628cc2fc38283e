"""`policy diff`: what changed in meaning between two folders, and which decisions with it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.output import Output, emit, output_option
from console.policy.chosen import chosen_set
from console.policy.recorded import sources
from console.times import PastType

if TYPE_CHECKING:
    from rules.diff.compare import Difference
    from rules.replay.tally import Tally

_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)
_SIGNS = {"added": "+", "removed": "-", "renamed": ">", "changed": "~", "reworded": " "}


@click.command(help="Tell what changed in meaning between two policy folders.")
@click.argument("old", type=_FOLDER)
@click.argument("new", type=_FOLDER)
@click.option(
    "--environment",
    envvar="MAILBOX_GUARD_ENVIRONMENT",
    help="Which params/<environment>.yaml applies, in both.",
)
@click.option(
    "--from",
    "named",
    multiple=True,
    metavar="ledger|FILE",
    help="Replay these recorded changes under both, and show which decisions differ.",
)
@click.option("--since", type=PastType(), help="Only changes since then: 2h, 7d, or a date.")
@output_option()
@click.pass_context
def diff(
    ctx: click.Context,
    old: Path,
    new: Path,
    environment: str | None,
    named: Sequence[str],
    since: datetime | None,
    outputs: Sequence[Output],
) -> int:
    """Exit 0 when both mean the same, 1 when they don't or a decision differs."""
    from rules.diff.compare import compare

    before = chosen_set(old, environment=environment)
    after = chosen_set(new, environment=environment)
    differences = compare(before, after)
    tally: Tally | None = None
    if named:
        from console.policy.simulate import State, simulate_all

        tally = simulate_all(
            sources(ctx, named, since), after, State(None, {}), baseline=before
        )  # fmt: skip
    in_meaning = [one for one in differences if one.in_meaning]
    told: dict[str, Any] = {
        "old": before.digest,
        "new": after.digest,
        "differences": [
            {
                "kind": one.kind,
                "subject": one.subject,
                "words": one.words,
                "in_meaning": one.in_meaning,
            }
            for one in differences
        ],
        "decisions": tally.as_json() if tally is not None else None,
    }
    emit(outputs, told, text=lambda: _text(differences, tally))
    return 1 if in_meaning or (tally is not None and tally.differing) else 0


def _text(differences: Sequence[Difference], tally: Tally | None) -> str:
    lines = []
    subject = ""
    for one in differences:
        if one.kind in ("added", "removed", "renamed"):
            lines.append(f"{_SIGNS[one.kind]} {one.subject}  ({one.kind}: {one.words})")
            continue
        if one.subject != subject:
            subject = one.subject
            lines.append(f"~ {subject}")
        note = "  (wording)" if one.kind == "reworded" else ""
        lines.append(f"    {one.words}{note}")
    changed = sum(one.in_meaning for one in differences)
    noun = "difference" if changed == 1 else "differences"
    lines.append(f"{changed} {noun} in meaning." if changed else "Both mean the same.")
    if tally is not None:
        from console.policy.simulate import tally_text

        lines += ["", tally_text(tally)]
    return "\n".join(lines)
