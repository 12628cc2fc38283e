"""One token request to Entra through msal, synchronous, with every answer as a typed value.

msal gets its HTTP client from here, because its own obeys REQUESTS_CA_BUNDLE over the settings.
The traps named below were measured with msal 1.39.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from cloud.classify import excerpt_of
from cloud.errors import TokenRefused, TokenUnavailable
from cloud.origins import MICROSOFT_LOGIN_HOSTS
from cloud.wire import trust_of
from kernel.errors import SettingInvalid

_TIMEOUT_SECONDS = 15.0
_AADSTS = re.compile(r"AADSTS(\d+)")
_PEM_KEY = re.compile(r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.+?-----END \1PRIVATE KEY-----", re.S)
_PEM_CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.S)

_BUSY = frozenset({"temporarily_unavailable", "server_error"})
_MENDS = {
    "AADSTS7000215": "The client secret is wrong: give the secret's value, not its id.",
    "AADSTS7000222": "The client secret has ended: make a new one.",
    "AADSTS700027": "The certificate is not registered with the app, or signs wrongly.",
    "AADSTS700016": "The app is not in this tenant: check the client id and the tenant id.",
    "AADSTS90002": "The tenant does not exist: check the tenant id and the authority URL.",
    "AADSTS70011": "The scope is unknown: check the Graph and Dataverse URLs and scopes.",
    "AADSTS1002012": "The scope must end in /.default.",
    "AADSTS500011": "The tenant has no service of that scope: check the Dataverse URL.",
    "AADSTS53003": "Conditional access forbids this app to sign in from here.",
    "AADSTS700024": "The assertion's times are off: set this machine's clock.",
}


class EntraApp(Protocol):
    """Something that asks Entra for a token, in the calling thread."""

    def fetch(self, scope: str) -> Mapping[str, Any]:
        """Return `access_token`, `expires_in` and perhaps `refresh_in`; raises CloudError."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A secret of the app registration."""

    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A PEM file with an unencrypted private key and its certificate, read anew at each fetch."""

    file: Path

    def read(self) -> dict[str, str]:
        """Return both parts as msal wants them. Raises SettingInvalid for a file without them."""
        try:
            text = self.file.read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise SettingInvalid(
                f"The client certificate file cannot be read: {self.file}",
                hint="Give a PEM file with the private key and the certificate.",
            ) from error
        key, certificates = _PEM_KEY.search(text), _PEM_CERTIFICATE.findall(text)
        if key is None or not certificates or "ENCRYPTED" in key.group(0).splitlines()[0]:
            raise SettingInvalid(
                "The client certificate file holds no unencrypted private key with its "
                f"certificate: {self.file}",
                hint="Put both PEM blocks into one file that only this service can read.",
            )
        return {"private_key": key.group(0), "public_certificate": "\n".join(certificates)}


class MsalApp:
    """A confidential client of one authority.

    `authority` carries the tenant. Discovery of authorities is switched off for a host that is not
    Microsoft's, because msal would ask login.microsoftonline.com about it.
    """

    def __init__(
        self,
        *,
        authority: str,
        client_id: str,
        credential: ClientSecret | ClientCertificate,
        ca_bundle_file: str | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._authority = authority
        self._client_id = client_id
        self._credential = credential
        self._http = HttpForMsal(http or _http_client(ca_bundle_file))
        is_microsoft = urlsplit(authority).hostname in MICROSOFT_LOGIN_HOSTS
        self._instance_discovery = None if is_microsoft else False

    def fetch(self, scope: str) -> Mapping[str, Any]:
        """Return Entra's answer for the scope; raises TokenRefused with the AADSTS code."""
        # Costly to import, so only where a token is fetched.
        import msal  # type: ignore[import-untyped]
        from msal.exceptions import MsalError  # type: ignore[import-untyped]

        credential = _credential_for_msal(self._credential)
        try:
            app = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=credential,
                authority=self._authority,
                instance_discovery=self._instance_discovery,
                http_client=self._http,
            )
            result = app.acquire_token_for_client(scopes=[scope])
        except (httpx.HTTPError, OSError, MsalError) as error:
            # msal raises its own error for a 5xx of the token endpoint.
            raise _no_answer(self._authority, error) from None
        except (ValueError, RuntimeError) as error:
            # msal raises ValueError for an authority whose metadata it cannot use.
            raise TokenRefused(
                f"The authority cannot be used: {excerpt_of(self._hidden(str(error)))}",
                hint="Check MAILBOX_GUARD_AUTHORITY_URL and MAILBOX_GUARD_TENANT_ID.",
            ) from None
        return _token_or_error(result, scope, self._hidden)

    def close(self) -> None:
        """Close the connections."""
        self._http.shut()

    def _hidden(self, text: str) -> str:
        """Return the text without the secret, whatever the service echoed."""
        if isinstance(self._credential, ClientSecret) and self._credential.secret:
            return text.replace(self._credential.secret, "[redacted]")
        return text


class ManagedIdentityApp:
    """The identity that Azure gives to the machine; `client_id` names a user-assigned one."""

    def __init__(self, *, client_id: str | None = None, http: httpx.Client | None = None) -> None:
        self._client_id = client_id
        self._http = HttpForMsal(http or _http_client(None))

    def fetch(self, scope: str) -> Mapping[str, Any]:
        """Return the answer for the scope's resource; raises TokenRefused."""
        import msal

        identity = (
            msal.UserAssignedManagedIdentity(client_id=self._client_id)
            if self._client_id
            else msal.SystemAssignedManagedIdentity()
        )
        try:
            client = msal.ManagedIdentityClient(identity, http_client=self._http)
            result = client.acquire_token_for_client(resource=scope.removesuffix("/.default"))
        except (httpx.HTTPError, OSError) as error:
            raise _no_answer("the managed identity endpoint", error) from None
        except (ValueError, RuntimeError) as error:
            raise TokenRefused(
                f"No managed identity answers here: {excerpt_of(str(error))}",
                hint="Give MAILBOX_GUARD_CLIENT_SECRET or _CLIENT_CERTIFICATE_FILE, or run in "
                "Azure with an identity assigned.",
            ) from None
        return _token_or_error(result, scope, str)

    def close(self) -> None:
        """Close the connections."""
        self._http.shut()


class HttpForMsal:
    """The HTTP client that msal asks for, over httpx.

    msal hands the client assertion over as bytes, which httpx would send as the text `b'…'`.
    """

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def post(
        self,
        url: str,
        params: Any = None,
        data: Any = None,
        headers: Any = None,
        **ignored: Any,
    ) -> httpx.Response:
        """Post a form."""
        if isinstance(data, Mapping):
            data = {k: v.decode() if isinstance(v, bytes) else v for k, v in data.items()}
        return self._client.post(url, params=params, data=data, headers=headers)

    def get(
        self, url: str, params: Any = None, headers: Any = None, **ignored: Any
    ) -> httpx.Response:
        """Get a document."""
        return self._client.get(url, params=params, headers=headers)

    def close(self) -> None:
        """Do nothing: an msal application ends after each fetch, the connections do not."""

    def shut(self) -> None:
        """Close the connections."""
        self._client.close()


def _http_client(ca_bundle_file: str | None) -> httpx.Client:
    return httpx.Client(verify=trust_of(ca_bundle_file), timeout=_TIMEOUT_SECONDS, trust_env=False)


def _credential_for_msal(credential: ClientSecret | ClientCertificate) -> Any:
    return credential.secret if isinstance(credential, ClientSecret) else credential.read()


def _token_or_error(result: Any, scope: str, hidden: Any) -> Mapping[str, Any]:
    if isinstance(result, Mapping) and "access_token" in result:
        return result
    result = result if isinstance(result, Mapping) else {}
    if result.get("error") in _BUSY:
        raise TokenUnavailable(f"Entra cannot give a token for {scope} now: {result['error']}")
    description = hidden(str(result.get("error_description") or ""))
    found = _AADSTS.search(description)
    codes = result.get("error_codes")
    number = found[1] if found else str(codes[0]) if isinstance(codes, list) and codes else ""
    code = f"AADSTS{number}" if number else hidden(str(result.get("error") or "unknown"))
    raise TokenRefused(
        f"Entra gives no token for {scope} ({code}).",
        hint=_MENDS.get(code, "Check the tenant, the client id and the credential."),
        service_code=code,
        request_id=str(result.get("trace_id") or ""),
        client_request_id=str(result.get("correlation_id") or ""),
        excerpt=excerpt_of(description.splitlines()[0] if description else ""),
    )


def _no_answer(authority: str, error: Exception) -> TokenUnavailable:
    told = excerpt_of(str(error) or type(error).__name__)
    return TokenUnavailable(
        f"Entra does not answer at {authority}: {told}",
        hint="Check MAILBOX_GUARD_AUTHORITY_URL, MAILBOX_GUARD_CA_BUNDLE_FILE and the network.",
    )
