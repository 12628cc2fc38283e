"""Who gives a command, so that what a person decides can be told with a name."""

from __future__ import annotations

import getpass
import sys

import click

from kernel.principal import Principal, Proof

MOST = 200

by_option = click.option(
    "--by",
    metavar="NAME",
    help="Who says so; it is recorded. Else asked for, or the name of the account.",
)


def account(given: str | None) -> Principal:
    """Return who gives the command: an account on this machine, under the name that it gives."""
    return Principal(operator_name(given), Proof.ACCOUNT)


def operator_name(given: str | None) -> str:
    """Return the name that was given, or is asked for; without a terminal that of the account.

    Raises click.BadParameter for a name that says nothing.
    """
    name = given
    if name is None and sys.stdin.isatty():
        name = click.prompt("Your name, for the record", default=_account(), err=True)
    name = _account() if name is None else " ".join(name.split())
    if not name or len(name) > MOST or not name.isprintable():
        raise click.BadParameter(f"--by must be a name of at most {MOST} letters.")
    return name


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "an account without a name"
