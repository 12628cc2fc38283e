"""Coming in and going out: signing in with Entra, the link, signing out."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from console.sign_in import cookies
from console.sign_in.authentication import Authentication
from console.sign_in.code_flow import RETURN_PATH
from console.sign_in.form_proof import FIELD, is_proof
from console.sign_in.link import PATH as LINK_PATH
from console.sign_in.refusals import SignInNeeded, SignInRefused
from console.web.bodies import read_form, read_query
from console.web.origins import is_this_machine, path_of_ours
from console.web.page import Shown
from kernel.principal import Principal

SIGN_IN = "/sign-in"
GO = "/sign-in/entra"
RETURN = RETURN_PATH
OUT = "/sign-out"
LINK = LINK_PATH


class Entrance:
    """The ways in and out of one console."""

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    async def show(self, request: Request) -> Shown:
        """Show how to sign in."""
        query = read_query(request.url.query)
        return Shown(
            "sign_in.html",
            {
                "with_entra": self._authentication.flow is not None,
                "next": path_of_ours(query.get("next", "/")),
                "is_out": "out" in query,
            },
        )

    async def go(self, request: Request) -> Response:
        """Send the browser to Entra. Raises TooManyAttempts, Unavailable."""
        self._authentication.sign_ins.spend(_caller(request))
        wanted = path_of_ours(read_query(request.url.query).get("next", "/"))
        where, ticket = await self._authentication.go(wanted)
        return RedirectResponse(where, 303, self._authentication.cookies.ticket(ticket))

    async def come_back(self, request: Request) -> Response:
        """Take what Entra answers, and let the session begin. Raises SignInRefused, Unavailable."""
        self._authentication.sign_ins.spend(_caller(request))
        header = request.headers.get("cookie")
        ticket = self._authentication.cookies.read(header, cookies.TICKET)
        answer = dict(read_query(request.url.query))
        principal, wanted = await self._authentication.come_back(ticket, answer)
        response = await self._begin(request, principal, path_of_ours(wanted))
        gone = self._authentication.cookies.gone(cookies.TICKET)
        response.headers.append("set-cookie", gone["set-cookie"])
        return response

    async def show_link(self, request: Request) -> Shown:
        """Show a button: whoever looks at a link ahead, as some programs do, opens nothing."""
        return Shown("link.html", {"secret": request.path_params["secret"][:200]})

    async def open_link(self, request: Request) -> Response:
        """Let in whoever has the link, on this machine, once. Raises SignInRefused."""
        self._authentication.guesses.spend(_caller(request))
        link = self._authentication.link
        if link is None or not is_this_machine(request.scope.get("client")):
            raise SignInRefused(
                "The link opens on the machine of the guard alone.",
                hint="Open it there, or set up signing in with Entra: docs/console.md tells how.",
            )
        form = await read_form(request)
        return await self._begin(request, link.redeem(form.get("secret", "")), "/")

    async def sign_out(self, request: Request) -> Response:
        """End the session. Raises SignInNeeded, SignInRefused."""
        found = await self._authentication.signed_in(request.headers.get("cookie"))
        if found is None:
            raise SignInNeeded("Nobody is signed in.")
        form = await read_form(request)
        if not is_proof(form.get(FIELD, ""), found.session_id):
            raise SignInRefused("The form was not sent from a page of this session.")
        await self._authentication.end(found)
        gone = self._authentication.cookies.gone(cookies.SESSION)
        return RedirectResponse(f"{SIGN_IN}?out", 303, gone)

    async def _begin(self, request: Request, principal: Principal, path: str) -> Response:
        header = request.headers.get("cookie")
        before = self._authentication.cookies.read(header, cookies.SESSION)
        session_id = await self._authentication.begin(principal, before=before)
        return RedirectResponse(path, 303, self._authentication.cookies.session(session_id))


def _caller(request: Request) -> str:
    return request.client.host if request.client is not None else ""
