"""`python -m console.reference --write|--check`: the generated pages of docs/."""

from __future__ import annotations

import sys

import click

from console.reference import stale, write


@click.command(help="Write the generated pages of docs/, or check that they are current.")
@click.option("--write", "is_writing", is_flag=True, help="Write the stale pages anew.")
@click.option("--check", "is_checking", is_flag=True, help="Name the stale pages; exit 1 for any.")
def reference(is_writing: bool, is_checking: bool) -> None:
    """Exit 0 when every page is current, 1 when `--check` finds a stale one."""
    if is_writing == is_checking:
        raise click.UsageError("Give one of --write and --check.")
    if is_writing:
        for name in write():
            click.echo(f"docs/{name} is written.")
        return
    found = stale()
    for name in found:
        click.echo(f"docs/{name} is stale: run `python -m console.reference --write`.", err=True)
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    reference()
