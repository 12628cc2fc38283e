"""Migrations make the tables that the code declares, on both databases."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, delete

from console import schema
from console.schema import SchemaOutdated
from kernel.database import Database
from kernel.failpoints import step
from kernel.tables import metadata, schema_number

STEP = step("tests.schema", "The schema tests write.")


@pytest.fixture
def empty_database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    database.open()
    yield database
    database.close()


def declared() -> MetaData:
    for room in ("kernel", "guard", "sync"):
        package = importlib.import_module(room)
        for found in pkgutil.walk_packages(package.__path__, f"{room}."):
            importlib.import_module(found.name)
    product = MetaData()
    for table in metadata.tables.values():
        if table.name.startswith(("kernel_", "guard_", "sync_")):
            table.to_metadata(product)
    return product


def test_an_empty_database_has_schema_0(empty_database: Database) -> None:
    assert schema.number_of(empty_database) == 0
    with pytest.raises(SchemaOutdated, match="has schema 0") as refused:
        schema.check(empty_database)
    assert refused.value.hint == "Run `mailbox-guard db upgrade`."


def test_upgrading_makes_exactly_the_declared_tables(empty_database: Database) -> None:
    assert schema.upgrade(empty_database) == schema.NUMBER
    product = declared()
    with empty_database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: name != "alembic_version"},
        )
        assert compare_metadata(context, product) == []


def test_upgrading_twice_changes_nothing(empty_database: Database) -> None:
    schema.upgrade(empty_database)
    assert schema.upgrade(empty_database) == schema.NUMBER
    schema.check(empty_database)


def test_a_newer_schema_is_refused(empty_database: Database) -> None:
    schema.upgrade(empty_database)

    def make_newer(connection: object) -> None:
        connection.execute(delete(schema_number))  # type: ignore[attr-defined]
        connection.execute(schema_number.insert().values(number=schema.NUMBER + 1))  # type: ignore[attr-defined]

    empty_database.write_now(make_newer, step=STEP)
    with pytest.raises(SchemaOutdated, match=f"has schema {schema.NUMBER + 1}") as refused:
        schema.check(empty_database)
    assert "newer version" in str(refused.value.hint)


def test_sqlite_is_upgraded_in_passing_and_a_server_is_not(empty_database: Database) -> None:
    if empty_database.dialect == "sqlite":
        schema.prepare(empty_database)
        assert schema.number_of(empty_database) == schema.NUMBER
    else:
        with pytest.raises(SchemaOutdated):
            schema.prepare(empty_database)
