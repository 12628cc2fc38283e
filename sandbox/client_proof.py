"""How an application proves itself at the token endpoint: by a secret or a signed assertion."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping

import jwt
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate

from kernel.clock import Clock
from sandbox.directory import Application

_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_SKEW_SECONDS = 300


class RequestRefused(Exception):
    """The token request fails: OAuth error, AADSTS code, text, HTTP status."""

    def __init__(self, error: str, number: int, text: str, *, status: int = 400) -> None:
        super().__init__(text)
        self.error, self.number, self.text, self.status = error, number, text, status


def thumbprints(certificate: Certificate) -> set[str]:
    """Return both thumbprints of a certificate, as an assertion's header may carry them."""
    der = certificate.public_bytes(Encoding.DER)
    digests = (hashlib.sha256(der).digest(), hashlib.sha1(der, usedforsecurity=False).digest())
    return {base64.urlsafe_b64encode(digest).rstrip(b"=").decode() for digest in digests}


class ClientProof:
    """Checks what applications show; `authority` is whom an assertion is for."""

    def __init__(self, clock: Clock, authority: Callable[[], str]) -> None:
        self._clock = clock
        self._authority = authority

    def prove(self, application: Application, form: Mapping[str, str]) -> str:
        """Check secret or assertion; return how the application proved itself (appidacr)."""
        if form.get("client_assertion"):
            self._check_assertion(application, form)
            return "2"
        secret = form.get("client_secret", "")
        if not secret:
            raise RequestRefused(
                "invalid_client",
                7000216,
                "'client_assertion', 'client_secret' or 'request' is required for the "
                "'client_credentials' grant type.",
                status=401,
            )
        if any(hmac.compare_digest(secret, good) for good in application.secrets):
            return "1"
        if secret in application.expired_secrets:
            text = f"The provided client secret keys for app '{application.client_id}' are expired."
            raise RequestRefused("invalid_client", 7000222, text, status=401)
        raise RequestRefused(
            "invalid_client",
            7000215,
            "Invalid client secret provided. Ensure the secret being sent in the request is the "
            "client secret value, not the client secret ID, for a secret added to app "
            f"'{application.client_id}'.",
            status=401,
        )

    def _check_assertion(self, application: Application, form: Mapping[str, str]) -> None:
        wrong = RequestRefused(
            "invalid_client",
            700027,
            "The certificate with identifier used to sign the client assertion is not registered "
            "on application.",
            status=401,
        )
        if form.get("client_assertion_type") != _ASSERTION:
            raise RequestRefused("invalid_request", 900144, "'client_assertion_type' is required.")
        assertion = form["client_assertion"]
        try:
            header = jwt.get_unverified_header(assertion)
        except jwt.PyJWTError as error:
            raise wrong from error
        # Some clients leave the padding of base64 on.
        named = {str(header.get(name)).rstrip("=") for name in ("x5t#S256", "x5t")}
        for certificate in application.certificates:
            if named & thumbprints(certificate):
                break
        else:
            raise wrong
        try:
            claims = jwt.decode(
                assertion,
                certificate.public_key(),  # type: ignore[arg-type]
                algorithms=["PS256", "RS256"],
                audience=[f"{self._authority()}/oauth2/v2.0/token", f"{self._authority()}/v2.0"],
                issuer=application.client_id,
                options={
                    "require": ["exp", "sub"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except jwt.PyJWTError as error:
            raise wrong from error
        now = self._clock.now().timestamp()
        begins = float(claims.get("nbf", claims.get("iat", now)))
        if not begins - _SKEW_SECONDS <= now <= float(claims["exp"]) + _SKEW_SECONDS:
            text = "Client assertion is not within its valid time range."
            raise RequestRefused("invalid_client", 700024, text, status=401)
        if claims["sub"] != application.client_id:
            raise wrong
