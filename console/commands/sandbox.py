"""`mailbox-guard sandbox serve`: Entra, Graph and Dataverse stand-ins with a seeded tenant."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kernel.errors import InputRefused
from kernel.log import configure
from kernel.reading import why_unreadable
from kernel.settings import PREFIX

if TYPE_CHECKING:
    from sandbox.tenant import Tenant

_NO_SUCH_ADDRESS = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)


@click.group(help="Stand-ins for Entra, Graph, Dataverse.")
def sandbox() -> None:
    """Group the sandbox commands."""


@sandbox.command(help="Serve the sandbox until it is interrupted.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=0,
    show_default="free ports",
    type=click.IntRange(0, 65533),
    help="First of three ports: Entra, Graph, Dataverse.",
)
@click.option(
    "--register",
    "register_url",
    metavar="URL",
    help="Give the tenant a guard's endpoint and steps; the key is MAILBOX_GUARD_WEBHOOK_KEYS' "
    "first, or a new one that is printed.",
)
@click.option(
    "--tenant",
    "tenant_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file that describes another tenant, such as webhook_examples/tenant.yaml.",
)
def serve(host: str, port: int, register_url: str | None, tenant_file: Path | None) -> None:
    """Print the settings of a guard for this sandbox, then serve."""
    configure(level="warning")
    if register_url is not None and not register_url.startswith(("http://", "https://")):
        raise InputRefused(
            f"--register is not a URL: {register_url}.",
            hint="Give http://127.0.0.1:8080/webhooks/dataverse.",
        )
    tenant = None if tenant_file is None else _described(tenant_file)
    asyncio.run(_serve(host, port, register_url, tenant))


def _what_is_wrong(error: Exception) -> str:
    match error:
        case KeyError():
            return f"`{error.args[0]}` is missing"
        case LookupError() | TypeError() | StopIteration():
            return "something in it is missing, or in another form"
    return why_unreadable(error)


def _described(file: Path) -> Tenant:
    from yaml import YAMLError

    from sandbox.described import DescribedTenant

    try:
        return DescribedTenant(file)
    except (OSError, YAMLError, LookupError, TypeError, StopIteration, UnicodeDecodeError) as error:
        raise InputRefused(
            f"{file} describes no tenant: {_what_is_wrong(error)}.",
            hint="webhook_examples/tenant.yaml shows the form.",
        ) from error


async def _serve(host: str, port: int, register_url: str | None, tenant: Tenant | None) -> None:
    import secrets

    from sandbox.process import serve as serve_sandbox

    key = None
    if register_url is not None:
        given = os.environ.get(f"{PREFIX}WEBHOOK_KEYS", "").split(",")[0].strip()
        key = given or secrets.token_urlsafe(24)
        click.echo(f"{PREFIX}WEBHOOK_KEYS={key}")
    try:
        await serve_sandbox(
            host=host, port=port, register=register_url, key=key, tell=click.echo, tenant=tenant
        )
    except OSError as error:
        if error.errno not in _NO_SUCH_ADDRESS:
            raise
        raise InputRefused(
            f"{host} cannot be listened on at port {port or 'any'}: {error.strerror}.",
            hint="Choose another --host or --port; the two ports above it are needed as well.",
        ) from error
