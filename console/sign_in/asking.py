"""How Entra is asked for a sign-in: msal applications over our own HTTP client, errors as ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

import httpx

from cloud.entra import ClientCertificate, ClientSecret, HttpForMsal
from cloud.origins import MICROSOFT_LOGIN_HOSTS
from cloud.wire import trust_of
from console.sign_in.refusals import SignInRefused
from kernel.errors import Unavailable

_TIMEOUT_SECONDS = 15.0
_MOST_BYTES = 512 * 1024


class SignInApp:
    """One application of one authority, as which people sign in.

    Each call makes a new msal application on purpose: msal keeps refused answers for a minute.
    """

    def __init__(
        self,
        *,
        authority: str,
        client_id: str,
        credential: ClientSecret | ClientCertificate | None,
        ca_bundle_file: str | None = None,
    ) -> None:
        self.authority = authority
        self.client_id = client_id
        self._credential = credential
        self._http = httpx.Client(
            verify=trust_of(ca_bundle_file), timeout=_TIMEOUT_SECONDS, trust_env=False
        )
        is_microsoft = urlsplit(authority).hostname in MICROSOFT_LOGIN_HOSTS
        self._instance_discovery = None if is_microsoft else False

    @property
    def has_credential(self) -> bool:
        """Return whether people can sign in in a browser: that takes a secret or certificate."""
        return self._credential is not None

    def confidential(self) -> Any:
        """Return the application with its credential, for browsers."""
        import msal  # type: ignore[import-untyped]

        credential = self._credential
        if isinstance(credential, ClientCertificate):
            shown: Any = credential.read()
        else:
            shown = credential.secret if credential is not None else None
        return msal.ConfidentialClientApplication(
            self.client_id, client_credential=shown, **self._options()
        )

    def public(self) -> Any:
        """Return the application without a credential, for commands that show a code."""
        import msal

        return msal.PublicClientApplication(self.client_id, **self._options())

    def fetch(self, url: str) -> Mapping[str, Any]:
        """Return the JSON document at the URL. Raises Unavailable."""
        try:
            with self._http.stream("GET", url) as answer:
                body = b""
                for piece in answer.iter_bytes():
                    body += piece
                    if len(body) > _MOST_BYTES:
                        raise Unavailable("The authority answers with more than its metadata.")
                is_good = answer.status_code == httpx.codes.OK
            told = httpx.Response(200, content=body).json() if is_good else None
        except (httpx.HTTPError, OSError, ValueError):
            told = None
        if not isinstance(told, dict):
            raise Unavailable(
                "The authority does not tell its keys.",
                hint="Check MAILBOX_GUARD_AUTHORITY_URL, MAILBOX_GUARD_CA_BUNDLE_FILE and the "
                "network.",
            )
        return told

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _options(self) -> dict[str, Any]:
        return {
            "authority": self.authority,
            "instance_discovery": self._instance_discovery,
            "http_client": HttpForMsal(self._http),
            # No refresh token is wanted: what isn't had can't be stolen.
            "exclude_scopes": ["offline_access"],
        }


def asked(ask: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return what msal gives, in this thread; its errors become SignInRefused and Unavailable."""
    from msal.exceptions import MsalError  # type: ignore[import-untyped]

    try:
        return ask()
    except (httpx.HTTPError, OSError, MsalError):
        raise Unavailable(
            "Entra does not answer.",
            hint="Try again in a moment; MAILBOX_GUARD_AUTHORITY_URL says where it is asked.",
        ) from None
    except (ValueError, RuntimeError):
        # msal raises these for an answer whose state or nonce is not the one that was sent.
        raise SignInRefused(
            "What came back does not belong to what was asked.", hint="Sign in again."
        ) from None
