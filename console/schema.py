"""Which schema this code needs, read by one SELECT; Alembic is imported only to change it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, select
from sqlalchemy.exc import OperationalError, ProgrammingError

from kernel.database import Database
from kernel.errors import Unavailable
from kernel.tables import added_code, schema_number

NUMBER = 2
MIGRATIONS = Path(__file__).parent / "migrations"


class SchemaOutdated(Unavailable):
    """The database has another schema than this code needs."""

    code = "schema-outdated"


class SchemaAltered(SchemaOutdated):
    """The database does something by itself at our tables, so that no write can be relied on."""

    code = "schema-altered"


def read_number(connection: Connection) -> int:
    """Return the schema number that is written down."""
    return connection.scalar(select(schema_number.c.number)) or 0


def number_of(database: Database) -> int:
    """Return the schema number of the database; 0 when it is empty."""
    try:
        return database.read_now(read_number)
    except (Unavailable, ProgrammingError, OperationalError):
        names = database.read_now(lambda c: inspect(c).get_table_names())
        if schema_number.name in names:
            raise
        return 0


def require_ours(found: int) -> None:
    """Pass when it is the schema that this code needs; raise SchemaOutdated otherwise."""
    if found != NUMBER:
        raise SchemaOutdated(
            f"The database has schema {found}, this version needs {NUMBER}.",
            hint="Run `mailbox-guard db upgrade`."
            if found < NUMBER
            else "Use the newer version of Mailbox Guard that wrote it.",
        )


def require_passive(added: str | None) -> None:
    """Pass when the database does nothing by itself; raise SchemaAltered otherwise."""
    if added is not None:
        raise SchemaAltered(
            f"The database has {added}, which is not of Mailbox Guard: what is written may come to "
            "nothing.",
            hint="Drop it, then run `mailbox-guard decisions verify`, with --against where there "
            "are anchors.",
        )


def check(database: Database) -> None:
    """Pass when the database has the right schema; raise SchemaOutdated otherwise."""
    require_ours(number_of(database))


def upgrade(database: Database) -> int:
    """Bring the schema up to date and return its number; safe to repeat."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with database.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
    return number_of(database)


def prepare(database: Database) -> None:
    """Make an embedded database ready: SQLite is upgraded in passing, PostgreSQL is only checked.

    A server's schema is changed by an operator who chose the moment.
    """
    if database.dialect == "sqlite" and number_of(database) < NUMBER:
        upgrade(database)
    check(database)
    require_passive(database.read_now(added_code))
