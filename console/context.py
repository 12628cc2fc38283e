"""What commands begin with: the settings, the log, the open database."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from console import schema
from console.locks import make_directory
from kernel.database import Database
from kernel.errors import SettingInvalid
from kernel.failpoints import failpoints_from
from kernel.log import conceal, configure
from kernel.settings import PREFIX, Settings, load


def settings_of(ctx: click.Context, *, stays: bool = False) -> Settings:
    """Read the settings once for a command and set the log up.

    A command that ends by itself logs warnings alone, unless debugging: its result is what counts.
    """
    settings = load(os.environ, ctx.find_root().obj)
    level = settings.log_level
    configure(level=level if stays or level == "debug" else "warning")
    conceal(_secrets_of(settings))
    return settings


def _secrets_of(settings: Settings) -> list[str]:
    secrets = [settings.client_secret, settings.sync_client_secret, *settings.webhook_keys]
    secrets.append(settings.anchor_database_url)
    password = _url_of(settings).password
    return [secret.reveal() for secret in secrets if secret] + ([str(password)] if password else [])


def _url_of(settings: Settings) -> URL:
    try:
        return make_url(settings.database_url)
    except (ArgumentError, ValueError):
        # The text may hold a password, so it is not repeated.
        raise SettingInvalid(
            f"{PREFIX}DATABASE_URL is not a database URL.",
            hint="Use sqlite:///path/to/file.db or postgresql://user@host/name.",
        ) from None


def sqlite_file(settings: Settings) -> Path | None:
    """Return the file of an embedded database; None on a server."""
    url = _url_of(settings)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def make_private(file: Path) -> None:
    """Let only the owner read the database file; it holds personal data. SQLite's side-cars follow.

    Raises SettingInvalid when the file cannot be made.
    """
    try:
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise SettingInvalid(
            f"The database file {file} cannot be written: {error.strerror}.",
            hint=f"Check {PREFIX}DATA_DIR and {PREFIX}DATABASE_URL.",
        ) from error


@contextmanager
def open_database(settings: Settings) -> Iterator[Database]:
    """Open the database of the settings; its directory is made when it is missing."""
    file = sqlite_file(settings)
    if file is not None:
        make_directory(file)
        make_private(file)
    database = Database(settings.database_url, failpoints=failpoints_from(settings.failpoint))
    database.open()
    try:
        yield database
    finally:
        database.close()


@contextmanager
def open_prepared(settings: Settings) -> Iterator[Database]:
    """Open the database and make sure of its schema. Raises SchemaOutdated with the mend."""
    with open_database(settings) as database:
        schema.prepare(database)
        yield database


@contextmanager
def open_readable(settings: Settings) -> Iterator[Database]:
    """Open the database for a command that only reads: a copy that nobody may write is enough.

    Raises SchemaOutdated with the mend.
    """
    file = sqlite_file(settings)
    if file is None or not _is_copy(file):
        with open_prepared(settings) as database:
            yield database
        return
    database = Database(settings.database_url, is_copy=True)
    database.open()
    try:
        schema.check(database)
        yield database
    finally:
        database.close()


def _is_copy(file: Path) -> bool:
    """Return whether a database file is there that is not to be written."""
    try:
        mode = file.stat().st_mode
    except OSError:
        return False
    may_write = os.access(file, os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK)
    return not may_write or not mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH)
