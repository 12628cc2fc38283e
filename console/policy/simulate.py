"""`policy simulate`: what other policies, params, lists or exceptions would have changed."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from console.output import Output, counted, emit, output_option, table, write_whole
from console.policy.chosen import chosen_set
from console.policy.recorded import Source, sources
from console.progress import progress
from console.times import PastType
from kernel.errors import InputRefused
from rules.engine.policy_set import PolicySet
from rules.replay.simulate import FindSet, Simulation
from rules.replay.tally import Tally

_SAVED_EVERY: Final = 20
_VERSION: Final = 1


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


@dataclass(slots=True)
class State:
    """How far a simulation is, in a file; without a file it is forgotten.

    `task` says what is being done, so that a state is never taken up by another.
    """

    path: Path | None
    task: dict[str, Any]
    place: str = ""
    tally: Tally = field(default_factory=Tally)

    def read(self) -> None:
        """Take up what the file holds. Raises InputRefused when it is of something else."""
        if self.path is None or not self.path.exists():
            return
        try:
            stated = json.loads(self.path.read_text("utf-8"))
            task, place = stated["task"], str(stated["place"])
            tally = Tally.from_json(stated["tally"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputRefused(
                f"{self.path} is not the state of a simulation.", hint="Name another file."
            ) from error
        if task != self.task or stated.get("version") != _VERSION:
            raise InputRefused(
                f"{self.path} is the state of another simulation.",
                hint="Name another file, or remove it to begin anew.",
            )
        self.place, self.tally = place, tally

    def write(self) -> None:
        """Write it down whole or not at all."""
        if self.path is None:
            return
        stated = {
            "version": _VERSION,
            "task": self.task,
            "place": self.place,
            "tally": self.tally.as_json(),
        }
        write_whole(self.path, json.dumps(stated))


def simulate_all(
    source: Source, policy_set: PolicySet, state: State, *, baseline: PolicySet | None = None
) -> Tally:
    """Replay everything behind the state's place and return the tally."""
    state.read()

    def make(find_set: FindSet | None) -> Simulation:
        return Simulation(policy_set, baseline=baseline, find_set=find_set, tally=state.tally)

    with progress("replayed") as advance:
        source.feed(make, after=state.place, moved=_mover(state, advance))
    state.write()
    return state.tally


def _mover(state: State, advance: Callable[[int, int], None]) -> Callable[[str, int, int], None]:
    steps = 0

    def moved(place: str, done: int, total: int) -> None:
        nonlocal steps
        steps += 1
        state.place = place
        if steps % _SAVED_EVERY == 0:
            state.write()
        advance(done, total)

    return moved


def tally_text(tally: Tally) -> str:
    """Return the report: what differs, by which rules, a sample of each, what was set apart."""
    apart = sum(cell.count for cell in tally.unreplayable.values())
    lines = []
    for key in sorted(tally.cells):
        cell = tally.cells[key]
        lines.append(f"{key}  {cell.count}")
        for sample in cell.samples:
            rules = ", ".join(sample["rules_now"] or sample["rules_before"])
            lines.append(f"  {sample['id']}  {sample['table']} {sample['record_id']}  {rules}")
            lines += [f'    "{message}"' for message in sample["messages"][:1]]
    if tally.rules:
        rows = [(rule, shift.now, shift.no_longer) for rule, shift in sorted(tally.rules.items())]
        lines += ["", table(("rule", "now", "no longer"), rows)]
    for reason, cell in sorted(tally.unreplayable.items()):
        ids = ", ".join(sample["id"] for sample in cell.samples)
        more = ", …" if cell.count > len(cell.samples) else ""
        lines.append(f"not replayed  {cell.count}  {reason}: {ids}{more}")
    if tally.confirmations:
        lines.append(
            f"{tally.confirmations} records confirm decisions and are not counted a second time."
        )
    lines.append(
        f"{counted(tally.replayed, 'recorded change')} replayed, "
        f"{tally.differing} with another answer, "
        f"{tally.other_rules} with the same answer by other rules, {apart} that can't be replayed."
    )
    return "\n".join(lines)
