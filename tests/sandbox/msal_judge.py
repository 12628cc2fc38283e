"""Microsoft's token library against the sandbox's Entra: secrets, certificates and people."""

from __future__ import annotations

import asyncio
import datetime
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import msal
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from sandbox import people
from sandbox.server import Sandbox


def certificate() -> tuple[str, str]:
    """A self-signed certificate and its key, both PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "guard.example.com")])
    now = datetime.datetime.fromtimestamp(time.perf_counter(), datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=36500))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return private.decode(), signed.public_bytes(serialization.Encoding.PEM).decode()


class _OnItsPort(requests.adapters.HTTPAdapter):
    """MSAL asks for the realm of a person without the authority's port."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self._origin = sandbox.authority_url.rsplit("/", 1)[0]

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> Any:
        request.url = str(request.url).replace("https://127.0.0.1/", f"{self._origin}/")
        return super().send(request, *args, **options)


def trusting_session(sandbox: Sandbox) -> requests.Session:
    session = requests.Session()
    session.mount("https://127.0.0.1/common/userrealm/", _OnItsPort(sandbox))
    session.trust_env = False
    session.verify = str(sandbox.ca_bundle_file)
    return session


def msal_application(
    sandbox: Sandbox, session: requests.Session, credential: Any, client_id: str | None = None
) -> Any:
    return msal.ConfidentialClientApplication(
        client_id or sandbox.guard_identity.client_id,
        client_credential=credential,
        authority=sandbox.authority_url,
        instance_discovery=False,
        http_client=session,
    )


async def msal_secret(sandbox: Sandbox, *, secret: str | None = None) -> dict[str, Any]:
    def acquire() -> dict[str, Any]:
        with trusting_session(sandbox) as session:
            identity = sandbox.guard_identity
            application = msal_application(sandbox, session, secret or identity.secret)
            scopes = [f"{sandbox.graph_url}/.default"]
            result: dict[str, Any] = application.acquire_token_for_client(scopes=scopes)
            return result

    return await asyncio.to_thread(acquire)


async def msal_certificate(sandbox: Sandbox, *, thumbprint: bool) -> dict[str, Any]:
    """Sign in with a certificate: PS256 with x5c, or RS256 with the old thumbprint."""

    def acquire() -> dict[str, Any]:
        private, public = certificate()
        identity = sandbox.guard_identity.client_id
        sandbox.directory.applications[identity].trust_certificate(public)
        credential: dict[str, str] = {"private_key": private}
        if thumbprint:
            parsed = x509.load_pem_x509_certificate(public.encode())
            credential["thumbprint"] = parsed.fingerprint(hashes.SHA1()).hex()  # noqa: S303
        else:
            credential["public_certificate"] = public
        with trusting_session(sandbox) as session:
            application = msal_application(sandbox, session, credential)
            scopes = [f"{sandbox.dataverse_url}/.default"]
            result: dict[str, Any] = application.acquire_token_for_client(scopes=scopes)
            return result

    return await asyncio.to_thread(acquire)


async def msal_person(sandbox: Sandbox, alias: str, *, password: str) -> dict[str, Any]:
    def acquire() -> dict[str, Any]:
        with trusting_session(sandbox) as session:
            application = msal.PublicClientApplication(
                people.PUBLIC_CLIENT_ID,
                authority=sandbox.authority_url,
                instance_discovery=False,
                http_client=session,
            )
            result: dict[str, Any] = application.acquire_token_by_username_password(
                people.BY_ALIAS[alias].address,
                password,
                scopes=[f"{sandbox.dataverse_url}/.default"],
            )
            return result

    return await asyncio.to_thread(acquire)


async def app_token(sandbox: Sandbox, identity: Any, url: str) -> str:
    def acquire() -> str:
        with trusting_session(sandbox) as session:
            application = msal_application(sandbox, session, identity.secret, identity.client_id)
            result = application.acquire_token_for_client(scopes=[f"{url}/.default"])
            token: str = result["access_token"]
            return token

    return await asyncio.to_thread(acquire)


async def msal_device_flow(
    sandbox: Sandbox,
) -> tuple[dict[str, Any], Callable[[], Awaitable[dict[str, Any]]]]:
    """Begin a device code flow; what is returned beside it waits until somebody has signed in."""

    def begin() -> tuple[dict[str, Any], msal.PublicClientApplication, Any]:
        session = trusting_session(sandbox)
        application = msal.PublicClientApplication(
            people.PUBLIC_CLIENT_ID,
            authority=sandbox.authority_url,
            instance_discovery=False,
            http_client=session,
        )
        scopes = [f"{sandbox.dataverse_url}/.default"]
        return application.initiate_device_flow(scopes=scopes), application, session

    flow, application, session = await asyncio.to_thread(begin)

    async def finish() -> dict[str, Any]:
        with session:
            result: dict[str, Any] = await asyncio.to_thread(
                application.acquire_token_by_device_flow, flow
            )
        return result

    return flow, finish


async def msal_code_flow(
    sandbox: Sandbox, alias: str, browser: httpx.AsyncClient, **changes: Any
) -> dict[str, Any]:
    """Sign somebody in in a browser: the code flow with PKCE, state and nonce, as msal does it."""
    redirect_uri = people.CONSOLE_RETURN.replace("localhost", "localhost:8080")

    def begin() -> tuple[Any, dict[str, Any], Any]:
        session = trusting_session(sandbox)
        application = msal_application(sandbox, session, sandbox.guard_identity.secret)
        flow = application.initiate_auth_code_flow(scopes=[], redirect_uri=redirect_uri)
        return application, flow, session

    application, flow, session = await asyncio.to_thread(begin)
    page = await browser.get(flow["auth_uri"])
    if page.status_code == 200:
        form = {"upn": people.BY_ALIAS[alias].address}
        page = await browser.post(flow["auth_uri"], data=form)
    assert page.status_code == 302, page.text
    answer = dict(parse_qsl(urlsplit(page.headers["location"]).query))

    def finish() -> dict[str, Any]:
        with session:
            result: dict[str, Any] = application.acquire_token_by_auth_code_flow(
                flow | changes, answer
            )
        return result

    return await asyncio.to_thread(finish)
