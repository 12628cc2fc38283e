"""`mailbox-guard db`: the schema of the database."""

from __future__ import annotations

import click

from console import schema
from console.context import open_database, settings_of
from kernel.tables import added_code


@click.group(help="Bring the database's schema up to date.")
def db() -> None:
    """Group the schema commands."""


@db.command(help="Change the schema to the one this version needs.")
@click.pass_context
def upgrade(ctx: click.Context) -> None:
    """Run the migrations that are missing."""
    with open_database(settings_of(ctx)) as database:
        before = schema.number_of(database)
        if before > schema.NUMBER:
            schema.require_ours(before)
        after = schema.upgrade(database)
        schema.require_ours(after)
    click.echo(f"Schema {before} is now {after}." if before != after else f"Schema {after}.")


@db.command(help="Say whether the schema is the one this version needs.")
@click.pass_context
def check(ctx: click.Context) -> None:
    """Exit 0 when it is, 2 with the mend when it is not."""
    with open_database(settings_of(ctx)) as database:
        schema.check(database)
        schema.require_passive(database.read_now(added_code))
        click.echo(f"Schema {schema.NUMBER}.")
