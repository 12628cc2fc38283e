"""The migrations make exactly the tables that the rooms declare, on both databases."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, UniqueConstraint, inspect, text

from console import schema
from console.reference.rooms import modules
from console.schema import SchemaOutdated
from kernel.database import Database
from kernel.tables import metadata
from tests.console.conftest import TEST, Run


@pytest.fixture
def empty(bare_database_url: str) -> Iterator[Database]:
    database = Database(bare_database_url)
    database.open()
    yield database
    database.close()


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": False})
    return list(compare_metadata(context, _product()))


def _product() -> MetaData:
    """The tables of the rooms alone; other tests declare some of their own."""
    product = MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.tables.values():
        if table.name.startswith(("console_", "kernel_", "guard_", "sync_")):
            table.to_metadata(product)
    return product


def _keys(connection: Connection) -> dict[str, set[frozenset[str]]]:
    """The column sets that are unique in each table, the primary key among them."""
    found: dict[str, set[frozenset[str]]] = {}
    inspector = inspect(connection)
    for table in _product().tables:
        keys = {frozenset(inspector.get_pk_constraint(table)["constrained_columns"])}
        keys |= {frozenset(one["column_names"]) for one in inspector.get_unique_constraints(table)}
        keys |= {
            frozenset(name for name in one["column_names"] if name)
            for one in inspector.get_indexes(table)
            if one["unique"]
        }
        found[table] = keys
    return found


def test_a_migrated_database_is_what_the_rooms_declare(empty: Database) -> None:
    for _ in modules():
        pass
    assert schema.upgrade(empty) == schema.NUMBER
    with empty.engine.connect() as connection:
        assert _differences(connection) == []
        held = _keys(connection)
    for name, table in _product().tables.items():
        wanted = {frozenset(column.name for column in table.primary_key)}
        for one in table.constraints:
            if isinstance(one, UniqueConstraint):
                wanted.add(frozenset(column.name for column in one.columns))
        for index in table.indexes:
            if index.unique:
                wanted.add(frozenset(column.name for column in index.columns))
        assert held[name] == wanted, name


def test_an_upgrade_may_be_repeated(empty: Database) -> None:
    assert schema.upgrade(empty) == schema.upgrade(empty) == schema.NUMBER
    schema.check(empty)


def test_an_empty_database_has_no_schema_yet(empty: Database) -> None:
    assert schema.number_of(empty) == 0
    with pytest.raises(SchemaOutdated, match="has schema 0") as refused:
        schema.check(empty)
    assert refused.value.hint == "Run `mailbox-guard db upgrade`."


def test_a_newer_schema_is_left_alone(empty: Database) -> None:
    schema.upgrade(empty)
    empty.write_now(
        lambda c: c.execute(text("UPDATE kernel_schema SET number = 9999")), failpoint=TEST
    )
    with pytest.raises(SchemaOutdated, match="has schema 9999") as refused:
        schema.prepare(empty)
    assert "newer version" in str(refused.value.hint)


def test_only_an_embedded_database_is_upgraded_in_passing(empty: Database) -> None:
    if empty.dialect == "sqlite":
        schema.prepare(empty)
        assert schema.number_of(empty) == schema.NUMBER
        return
    with pytest.raises(SchemaOutdated, match="has schema 0"):
        schema.prepare(empty)
    assert schema.number_of(empty) == 0


def test_the_commands_say_which_schema_there_is(run: Run) -> None:
    refused = run("db", "check")
    assert refused.code == 2
    assert "db upgrade" in refused.err
    assert run("db", "upgrade").out == f"Schema 0 is now {schema.NUMBER}.\n"
    assert run("db", "upgrade").out == f"Schema {schema.NUMBER}.\n"
    done = run("db", "check")
    assert (done.code, done.out) == (0, f"Schema {schema.NUMBER}.\n")
