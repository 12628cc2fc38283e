"""How people sign in to this installation: with Entra where the console has an address, or not."""

from __future__ import annotations

import os
from collections.abc import Callable
from urllib.parse import urlsplit

from cloud.entra import ClientCertificate, ClientSecret
from cloud.origins import authority_url
from console.sign_in.asking import SignInApp
from console.sign_in.attempts import SIGN_INS_AT_ONCE, SIGN_INS_PER_SECOND, Attempts
from console.sign_in.authentication import Authentication
from console.sign_in.authority import Authority
from console.sign_in.code_flow import RETURN_PATH, EntraCodeFlow
from console.sign_in.cookies import Cookies
from console.sign_in.device_flow import sign_in_by_device
from console.sign_in.link import OneTimeLink
from console.sign_in.seal import Seal
from console.sign_in.token_check import TokenCheck
from console.wiring.connections import ca_bundle_of
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import SettingInvalid
from kernel.principal import Principal
from kernel.settings import PREFIX, Settings


def open_authentication(settings: Settings, database: Database, clock: Clock) -> Authentication:
    """Return what `serve` knows people by. Raises SettingInvalid for what does not fit together."""
    url = settings.console_url
    found = Authentication(
        database,
        clock,
        Cookies(is_secure=urlsplit(url).scheme == "https"),
        Seal(_secret_of(settings)),
        guesses=Attempts(clock),
        sign_ins=Attempts(clock, at_once=SIGN_INS_AT_ONCE, per_second=SIGN_INS_PER_SECOND),
    )
    app = _app(settings) if client_id_of(settings) and _has_authority(settings) else None
    if app is not None:
        found.app, found.check = app, _check(app, clock)
    if not url:
        found.link = OneTimeLink(clock)
        return found
    if app is None or found.check is None or not app.has_credential:
        raise SettingInvalid(
            f"{PREFIX}CONSOLE_URL is set, but nobody could sign in there: Entra is not configured.",
            hint=f"Set {PREFIX}TENANT_ID, {PREFIX}CONSOLE_CLIENT_ID and "
            f"{PREFIX}CONSOLE_CLIENT_SECRET, or the guard's own; docs/console.md tells how.",
        )
    found.flow = EntraCodeFlow(app, found.check, redirect_uri=url.rstrip("/") + RETURN_PATH)
    return found


def sign_in_for_command(
    settings: Settings, clock: Clock, *, tell: Callable[[str], None]
) -> Principal:
    """Return who signed in with Entra for a command, by a code that `tell` showed.

    Raises SettingInvalid where no tenant or application is configured, SignInRefused, Unavailable.
    """
    if not client_id_of(settings) or not _has_authority(settings):
        raise SettingInvalid(
            "Nobody can sign in: no tenant and application are configured.",
            hint=f"Set {PREFIX}TENANT_ID and {PREFIX}CONSOLE_CLIENT_ID.",
        )
    app = _app(settings)
    try:
        return sign_in_by_device(app, _check(app, clock), tell=tell)
    finally:
        app.close()


def client_id_of(settings: Settings) -> str:
    """Return the application as which people sign in; empty where there is none."""
    return settings.console_client_id or settings.client_id


def _secret_of(settings: Settings) -> bytes:
    """Return what every process of this installation knows, and the database doesn't.

    Sessions end when it changes. Where nothing is set they are this process's own.
    """
    for secret in (settings.console_client_secret, settings.client_secret, *settings.webhook_keys):
        if secret:
            return secret.reveal().encode()
    return os.urandom(32)


def _has_authority(settings: Settings) -> bool:
    return bool(settings.authority_url or settings.tenant_id)


def _check(app: SignInApp, clock: Clock) -> TokenCheck:
    return TokenCheck(
        Authority(app.authority, app.fetch, clock), client_id=app.client_id, clock=clock
    )


def _app(settings: Settings) -> SignInApp:
    credential: ClientSecret | ClientCertificate | None = None
    if settings.console_client_secret:
        credential = ClientSecret(settings.console_client_secret.reveal())
    elif not settings.console_client_id or settings.console_client_id == settings.client_id:
        if settings.client_secret:
            credential = ClientSecret(settings.client_secret.reveal())
        elif settings.client_certificate_file:
            credential = ClientCertificate(settings.client_certificate_file)
    return SignInApp(
        authority=authority_url(
            settings.authority_url or None,
            tenant_id=settings.tenant_id or None,
            cloud=settings.cloud,
        ),
        client_id=client_id_of(settings),
        credential=credential,
        ca_bundle_file=ca_bundle_of(settings),
    )
