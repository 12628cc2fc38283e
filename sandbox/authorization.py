"""The page on which a person signs in in a browser, and the codes that applications redeem.

Source: Microsoft's page on the OAuth 2.0 authorization code flow, RFC 7636. Whoever signed in
before, in the same browser, is sent back without a page.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from kernel.clock import Clock
from sandbox.directory import Directory

CODE_SECONDS: Final = 600
_COOKIE: Final = "ESTSAUTH"


class CodeRefused(Exception):
    """There is no token for this code: AADSTS number and text."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text)
        self.number = number


@dataclass(slots=True)
class AuthorizationCode:
    """One code, whom it stands for, and what has to fit when it is redeemed."""

    upn: str
    client_id: str
    redirect_uri: str
    scope: str
    nonce: str | None
    challenge: str
    until: datetime
    is_redeemed: bool = False


class Authorization:
    """Lets anybody of the tenant sign in, without a password: it is a sandbox."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock
        self._codes: dict[str, AuthorizationCode] = {}
        self._signed_in: dict[str, str] = {}

    async def show(self, request: Request) -> Response:
        """Return the page, or send back at once whoever is signed in."""
        asked = dict(request.query_params)
        refused = self._refused(asked)
        if refused is not None:
            return refused
        upn = self._signed_in.get(request.cookies.get(_COOKIE, ""))
        prompt = asked.get("prompt")
        if upn is not None and prompt in (None, "none"):
            return self._send_back(asked, upn)
        if prompt == "none":
            text = "AADSTS50058: A silent sign-in request was sent but no user is signed in."
            return _back(asked, {"error": "login_required", "error_description": text})
        people = "".join(
            f"<option>{escape(one.upn)}</option>" for one in self._directory.people.values()
        )
        return HTMLResponse(
            "<!doctype html><html lang=en><title>Sign in</title><h1>Sign in to your account</h1>"
            f"<form method=post><p><label>As <select name=upn>{people}</select></label>"
            "<p><button>Sign in</button></form></html>"
        )

    async def take(self, request: Request) -> Response:
        """Sign the person in and send the browser back with a code."""
        asked = dict(request.query_params)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        refused = self._refused(asked)
        if refused is not None:
            return refused
        person = self._directory.person(form.get("upn", ""))
        if person is None or not person.account_enabled:
            return HTMLResponse("<h1>AADSTS50057: The user account is disabled.</h1>", 400)
        remembered = secrets.token_urlsafe(24)
        self._signed_in[remembered] = person.upn
        answer = self._send_back(asked, person.upn)
        answer.set_cookie(_COOKIE, remembered, secure=True, httponly=True, samesite="none")
        return answer

    def redeem(
        self, code: str, client_id: str, *, redirect_uri: str, verifier: str
    ) -> AuthorizationCode:
        """Return what the code stands for, once. Raises CodeRefused."""
        found = self._codes.get(code)
        if found is None or found.client_id != client_id:
            raise CodeRefused(9002313, "Invalid request. Request is malformed or invalid.")
        if found.is_redeemed:
            raise CodeRefused(54005, "OAuth2 Authorization code was already redeemed.")
        if self._clock.now() >= found.until:
            raise CodeRefused(70008, "The provided authorization code has expired.")
        if found.redirect_uri != redirect_uri:
            text = "The reply address does not match the one of the authorization request."
            raise CodeRefused(500112, text)
        digest = hashlib.sha256(verifier.encode()).digest()
        made = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if not hmac.compare_digest(made, found.challenge):
            text = "The Code_Verifier does not match the code_challenge supplied in the request."
            raise CodeRefused(501481, text)
        found.is_redeemed = True
        return found

    def _refused(self, asked: dict[str, str]) -> Response | None:
        """Return the page of an error that must not be sent back, or what is."""
        application = self._directory.applications.get(asked.get("client_id", "").casefold())
        if application is None:
            text = "AADSTS700016: The application was not found in the directory."
            return HTMLResponse(f"<h1>{text}</h1>", 400)
        if not application.may_return_to(asked.get("redirect_uri", "")):
            text = (
                "AADSTS50011: The redirect URI specified in the request does not match the "
                "redirect URIs configured for the application."
            )
            return HTMLResponse(f"<h1>{text}</h1>", 400)
        if asked.get("response_type") != "code" or "openid" not in asked.get("scope", "").split():
            return _back(asked, {"error": "unsupported_response_type"})
        if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
            return _back(asked, {"error": "invalid_request"})
        return None

    def _send_back(self, asked: dict[str, str], upn: str) -> Response:
        code = secrets.token_urlsafe(48)
        self._codes[code] = AuthorizationCode(
            upn=upn,
            client_id=asked["client_id"].casefold(),
            redirect_uri=asked["redirect_uri"],
            scope=asked["scope"],
            nonce=asked.get("nonce"),
            challenge=asked["code_challenge"],
            until=self._clock.now() + timedelta(seconds=CODE_SECONDS),
        )
        return _back(asked, {"code": code, "session_state": secrets.token_hex(16)})


def _back(asked: dict[str, str], told: dict[str, str]) -> Response:
    if "state" in asked:
        told = {**told, "state": asked["state"]}
    return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(told)}", 302)
