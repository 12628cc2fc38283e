"""The shared metadata on which every room declares its tables, and the column types they use."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Dialect,
    Integer,
    MetaData,
    Table,
    Text,
    text,
)
from sqlalchemy.types import TypeDecorator

from kernel.digest import canonical_json

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def microseconds(moment: datetime) -> int:
    """Return a moment as whole microseconds since 1970 in UTC."""
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def moment_of(value: int) -> datetime:
    """Return the aware UTC moment of that many microseconds since 1970."""
    return datetime.fromtimestamp(value // 1_000_000, UTC).replace(microsecond=value % 1_000_000)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """An aware moment, stored as microseconds since 1970 in UTC on both databases."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Store the moment."""
        return None if value is None else microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """Read the moment."""
        return None if value is None else moment_of(value)


class Json(TypeDecorator[Any]):
    """A JSON value, stored as its canonical text on both databases."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Store the value."""
        return None if value is None else canonical_json(value).decode("utf-8")

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """Read the value."""
        return None if value is None else json.loads(value)


Member = TypeVar("Member", bound=StrEnum)


class Word(TypeDecorator[Member]):
    """A member of an enum, stored as its word; what is no word of the enum cannot be stored.

    Reading raises ValueError for a word that the enum does not have.
    """

    impl = Text
    cache_ok = True

    def __init__(self, words: type[Member]) -> None:
        super().__init__()
        self.words = words

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Store the word."""
        return None if value is None else self.words(value).value

    def process_result_value(self, value: str | None, dialect: Dialect) -> Member | None:
        """Read the member."""
        return None if value is None else self.words(value)


# Auto-increment on SQLite needs INTEGER, on PostgreSQL a row count beyond 2^31 needs BIGINT.
BigKey = BigInteger().with_variant(Integer, "sqlite")

schema_number = Table(
    "kernel_schema",
    metadata,
    Column("number", Integer, primary_key=True),
)


# Triggers, rules and views at tables of ours: (what, its name, the table).
_ADDED = {
    "sqlite": text(
        "SELECT type, name, tbl_name FROM sqlite_master WHERE type IN ('trigger', 'view') "
        "AND (lower(tbl_name) LIKE 'guard\\_%' ESCAPE '\\' "
        "OR lower(tbl_name) LIKE 'console\\_%' ESCAPE '\\' "
        "OR lower(tbl_name) LIKE 'kernel\\_%' ESCAPE '\\' "
        "OR lower(tbl_name) LIKE 'sync\\_%' ESCAPE '\\') ORDER BY name LIMIT 1"
    ),
    "postgresql": text(
        "SELECT found.* FROM ("
        "SELECT 'trigger' AS what, tgname AS name, tgrelid AS at FROM pg_trigger "
        "WHERE NOT tgisinternal UNION ALL "
        "SELECT 'rule', rulename, ev_class FROM pg_rewrite) AS added "
        "JOIN pg_class ON pg_class.oid = added.at, "
        "LATERAL (SELECT added.what, added.name, pg_class.relname) AS found "
        "WHERE pg_class.relnamespace = current_schema()::regnamespace "
        "AND pg_class.relname ~ '^(console|guard|kernel|sync)_' ORDER BY added.name LIMIT 1"
    ),
}


def added_code(connection: Connection) -> str | None:
    """Return what the database does by itself at our tables, in words; None where nothing.

    A trigger makes a write that was acknowledged come to nothing, or to something else.
    """
    row = connection.execute(_ADDED[connection.dialect.name]).first()
    return None if row is None else f"the {row[0]} `{row[1]}` at `{row[2]}`"
