"""The settings become clients of Microsoft's services: identities, transports, Graph, Dataverse.

The guard has one identity; mailbox access may have a second one, loaded only where mail is synced.
Dataverse is always reached as the guard.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from cloud.access import AccessHook
from cloud.dataverse import Dataverse
from cloud.entra import ClientCertificate, ClientSecret, EntraApp, ManagedIdentityApp, MsalApp
from cloud.graph import Graph
from cloud.hooks import Hook
from cloud.origins import authority_url, dataverse_service, graph_service
from cloud.tenant import Tenant
from cloud.tokens import MsalTokens
from cloud.transport import Transport
from guard.ports.team_notices import TeamNotifier
from kernel.clock import Clock
from kernel.errors import SettingInvalid
from kernel.failpoints import NONE, Failpoints
from kernel.settings import PREFIX, Secret, Settings


@dataclass(frozen=True, slots=True)
class Connections:
    """The clients of one identity; close them when the process ends."""

    graph: Graph
    dataverse: Dataverse
    transport: Transport
    tokens: MsalTokens
    tenant: Tenant
    scopes: tuple[str, ...] = ()
    team: TeamNotifier | None = None
    hook: Hook | None = None

    async def aclose(self) -> None:
        """Close every connection."""
        await self.transport.aclose()
        await self.tokens.aclose()
        if self.hook is not None:
            await self.hook.aclose()


def is_configured(settings: Settings) -> bool:
    """Return whether any of the settings that reach Microsoft's services is given.

    Without any, `serve` only receives; with some, all that belong together are demanded.
    """
    return bool(
        settings.dataverse_url
        or settings.client_id
        or settings.authority_url
        or settings.tenant_id
        or settings.managed_identity
    )


def connect_guard(
    settings: Settings,
    clock: Clock,
    *,
    on_access: AccessHook | None = None,
    failpoints: Failpoints = NONE,
) -> Connections:
    """Return the clients of the guard's own identity. Raises SettingInvalid for what is missing."""
    _demand(settings, "dataverse_url")
    app = _app(
        settings,
        client_id=settings.client_id,
        secret=settings.client_secret,
        certificate=settings.client_certificate_file,
        names=("client_id", "client_secret", "client_certificate_file"),
    )
    connections = _connect(settings, app, clock, on_access, failpoints)
    if not settings.team_webhook_url:
        return connections
    hook = Hook(
        settings.team_webhook_url.reveal(),
        clock=clock,
        ca_bundle_file=ca_bundle_of(settings),
        failpoints=failpoints,
    )
    form, rows_at = settings.team_webhook_format, settings.dataverse_url
    team = TeamNotifier(hook, form=form, dataverse_url=rows_at)
    return replace(connections, team=team, hook=hook)


def connect_sync(
    settings: Settings,
    clock: Clock,
    *,
    on_access: AccessHook | None = None,
    failpoints: Failpoints = NONE,
) -> Connections:
    """Return the clients of the second identity, which is for mailbox access alone.

    Raises SettingInvalid for what is missing.
    """
    _demand(settings, "dataverse_url")
    app = _app(
        settings,
        client_id=settings.sync_client_id,
        secret=settings.sync_client_secret,
        certificate=settings.sync_client_certificate_file,
        names=("sync_client_id", "sync_client_secret", "sync_client_certificate_file"),
    )
    return _connect(settings, app, clock, on_access, failpoints)


def connect_mailboxes(
    settings: Settings,
    clock: Clock,
    guard: Connections,
    *,
    on_access: AccessHook | None = None,
    failpoints: Failpoints = NONE,
) -> Connections:
    """Return the clients for mailbox access: of the second identity, or the guard's without one.

    Raises SettingInvalid when only a part of the second identity is given.
    """
    given = (
        settings.sync_client_id
        or settings.sync_client_secret
        or settings.sync_client_certificate_file
    )
    if not given:
        return guard
    return connect_sync(settings, clock, on_access=on_access, failpoints=failpoints)


def _connect(
    settings: Settings,
    app: EntraApp,
    clock: Clock,
    on_access: AccessHook | None,
    failpoints: Failpoints,
) -> Connections:
    graph = graph_service(
        settings.graph_url or None, cloud=settings.cloud, scope=settings.graph_scope or None
    )
    dataverse = dataverse_service(settings.dataverse_url, scope=settings.dataverse_scope or None)
    tokens = MsalTokens(app, clock=clock)
    transport = Transport(
        (graph, dataverse),
        tokens,
        clock=clock,
        ca_bundle_file=ca_bundle_of(settings),
        on_access=on_access,
        failpoints=failpoints,
    )
    return Connections(
        Graph(transport, graph),
        Dataverse(transport, dataverse),
        transport,
        tokens,
        Tenant(transport, graph),
        (graph.scope, dataverse.scope),
    )


def _app(
    settings: Settings,
    *,
    client_id: str,
    secret: Secret,
    certificate: Path | None,
    names: tuple[str, str, str],
) -> EntraApp:
    if settings.managed_identity and names[0] == "client_id" and not secret and not certificate:
        named = settings.managed_identity
        return ManagedIdentityApp(client_id=None if named == "system" else named)
    id_name, secret_name, certificate_name = (PREFIX + name.upper() for name in names)
    if not client_id:
        raise SettingInvalid(
            f"{id_name} is not set, so no token can be had.",
            hint="Give the id of the app registration.",
        )
    if secret and certificate:
        raise SettingInvalid(
            f"{secret_name} and {certificate_name} are both set.", hint="Keep one of them."
        )
    credential: ClientSecret | ClientCertificate
    if certificate:
        if not certificate.is_file():
            raise SettingInvalid(
                f"{certificate_name} names {certificate}, which is no file.",
                hint="Give a PEM file with private key and certificate.",
            )
        credential = ClientCertificate(certificate)
        try:
            credential.read()
        except SettingInvalid as error:
            raise SettingInvalid(f"{certificate_name}: {error.message}", hint=error.hint) from error
    elif secret:
        credential = ClientSecret(secret.reveal())
    else:
        raise SettingInvalid(
            f"Neither {secret_name} nor {certificate_name} is set, so no token can be had.",
            hint="Give one of them.",
        )
    authority = authority_url(
        settings.authority_url or None,
        tenant_id=settings.tenant_id or None,
        cloud=settings.cloud,
    )
    return MsalApp(
        authority=authority,
        client_id=client_id,
        credential=credential,
        ca_bundle_file=ca_bundle_of(settings),
    )


def ca_bundle_of(settings: Settings) -> str | None:
    """Return the file of the authorities to trust. Raises SettingInvalid where it is none."""
    file = settings.ca_bundle_file
    if file is None:
        return None
    if not file.is_file():
        raise SettingInvalid(
            f"{PREFIX}CA_BUNDLE_FILE names {file}, which is no file.",
            hint="Give a PEM file with the certificates to trust.",
        )
    return str(file)


def _demand(settings: Settings, name: str) -> None:
    if not getattr(settings, name):
        raise SettingInvalid(
            f"{PREFIX}{name.upper()} is not set.",
            hint="Give the origin of the organisation, such as https://contoso.crm.dynamics.com.",
        )
