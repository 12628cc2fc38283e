"""The page on which a person signs in for a device: enter its code, choose who signs in."""

from __future__ import annotations

from html import escape
from typing import Final
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from sandbox.device_codes import DeviceCodes
from sandbox.directory import Directory
from sandbox.routes import mark, route

PAGE_PATH: Final = "/common/oauth2/deviceauth"
SHOWN = route("entra", "GET", PAGE_PATH)
TAKEN = route("entra", "POST", PAGE_PATH)


class SignInPage:
    """Lets anybody of the tenant sign in, without a password: it is a sandbox."""

    def __init__(self, directory: Directory, codes: DeviceCodes) -> None:
        self._directory = directory
        self._codes = codes

    async def show(self, request: Request) -> Response:
        """Return the page."""
        mark(request, SHOWN)
        people = "".join(
            f"<option>{escape(one.upn)}</option>" for one in self._directory.people.values()
        )
        return HTMLResponse(
            "<!doctype html><html lang=en><title>Sign in</title><h1>Sign in on a device</h1>"
            "<form method=post><p><label>Code <input name=user_code required></label>"
            f"<p><label>As <select name=upn>{people}</select></label><p><button>Sign in</button>"
            "</form></html>"
        )

    async def take(self, request: Request) -> Response:
        """Sign the person in for the device that shows the code."""
        mark(request, TAKEN)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        known = self._directory.person(form.get("upn", "")) is not None
        if not known or not self._codes.approve(form.get("user_code", ""), form["upn"]):
            return PlainTextResponse("No such code waits, or there is no such person.", 400)
        return PlainTextResponse("Signed in. The device has its token in a moment.")
