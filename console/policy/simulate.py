"""`policy simulate`: what other policies, params, lists or exceptions would have changed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import click

from console.output import Output, emit, output_option
from console.policy.chosen import chosen_set
from console.policy.recorded import sources
from console.times import PastType


@click.command(help="Replay recorded changes under other policies; show only what differs.")
@click.option(
    "--from",
    "named",
    multiple=True,
    metavar="ledger|FILE",
    help="Where the changes come from; files hold exported decisions. Default: the ledger.",
)
@click.option(
    "--policies",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="MAILBOX_GUARD_POLICIES_DIR",
    help="The policy folder to try.",
)
@click.option(
    "--environment",
    envvar="MAILBOX_GUARD_ENVIRONMENT",
    help="Which params/<environment>.yaml applies.",
)
@click.option(
    "--params",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="A params file to try in place of the environment's.",
)
@click.option("--since", type=PastType(), help="Only changes since then: 2h, 7d, or a date.")
@click.option(
    "--resume",
    "state",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Keep what was replayed in this file, and go on from it after an interruption.",
)
@output_option()
@click.pass_context
def simulate(
    ctx: click.Context,
    named: Sequence[str],
    folder: Path | None,
    environment: str | None,
    params: Path | None,
    since: datetime | None,
    state: Path | None,
    outputs: Sequence[Output],
) -> int:
    """Exit 0 when every decision would be the same, 1 when some would differ."""
    from console.policy.simulating import State, simulate_all, tally_text

    policy_set = chosen_set(folder, environment=environment, params=params)
    task = {
        "policy_set": policy_set.digest,
        "from": list(named) or ["ledger"],
        "since": since.isoformat() if since is not None and state is not None else None,
    }
    tally = simulate_all(sources(ctx, named, since), policy_set, State(state, task))
    told = {"policy_set": policy_set.digest, **tally.as_json()}
    emit(outputs, told, text=lambda: tally_text(tally))
    return 1 if tally.differing else 0
