"""The pages as one ASGI application: who may see them, what is said beside them, what goes wrong.

It is asked after the webhook and the readiness; nothing here runs while a delivery is decided.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from console.problems import problem
from console.sign_in.allowed import require
from console.sign_in.authentication import Authentication, SignedIn
from console.sign_in.form_proof import FIELD, is_proof
from console.sign_in.refusals import SignInNeeded, SignInRefused
from console.web import entrance
from console.web.bodies import read_form, read_query
from console.web.entrance import Entrance
from console.web.headers import ALWAYS, KEPT, NOT_KEPT, ONLY_HTTPS
from console.web.origins import is_from_us, is_our_host
from console.web.page import Act, ConsolePage, Onward, PageVisit, Shown, View
from console.web.parts import Parts
from console.web.render import FILES, rendered, static_file
from kernel.errors import Bug, GuardError, NotFound, Unavailable
from kernel.log import get_logger
from kernel.principal import AppRole

log = get_logger("console")
_BUG = Bug("Something went wrong in the guard itself.", hint="Its log says what; please report it.")
_NO_PAGE = NotFound("There is no such page.", hint="Go back, or begin from the first page.")
Answer = Callable[[Request], Awaitable[Response]]


class Site:
    """Makes pages of what the entries of the table return."""

    def __init__(
        self, parts: Parts, authentication: Authentication, pages: tuple[ConsolePage, ...]
    ) -> None:
        self._parts = parts
        self._authentication = authentication
        self._pages = pages
        self._entrance = Entrance(authentication)
        is_https = authentication.cookies.is_secure
        self._always = ALWAYS | (ONLY_HTTPS if is_https else {})

    def app(self) -> Starlette:
        """Return the application."""
        routes = [
            Route("/static/{name}", self._guarded(self._static)),
            Route(entrance.SIGN_IN, self._open(self._entrance.show)),
            Route(entrance.GO, self._guarded(self._entrance.go)),
            Route(entrance.RETURN, self._guarded(self._entrance.come_back)),
            Route(entrance.LINK + "/{secret}", self._open(self._entrance.show_link)),
            Route(entrance.LINK, self._guarded(self._entrance.open_link), methods=["POST"]),
            Route(entrance.OUT, self._guarded(self._entrance.sign_out), methods=["POST"]),
        ]
        for page in self._pages:
            routes += [Route(view.path, self._view(page, view)) for view in page.views]
            routes += [Route(act.path, self._act(act), methods=["POST"]) for act in page.acts]
        return Starlette(routes=routes, exception_handlers={HTTPException: self._http_error})

    def _view(self, page: ConsolePage, view: View) -> Answer:
        async def answer(request: Request) -> Response:
            who = await self._who(request)
            if who is None or await self._asks_again(who):
                wanted = request.url.path
                if request.url.query:
                    wanted += f"?{request.url.query}"
                where = entrance.SIGN_IN if who is None else entrance.GO
                return RedirectResponse(f"{where}?next={quote(wanted[:500], safe='/')}", 303)
            require(who.principal, AppRole.READER)
            visit = self._visit(request, who)
            shown = await view.show(visit)
            if isinstance(shown, Onward):
                return _sent_on(shown)
            said = page.said.get(visit.query.get("said", ""), "")
            return self._shown(shown, who=who, here=page.path, said=said)

        return self._guarded(answer)

    def _act(self, act: Act) -> Answer:
        async def answer(request: Request) -> Response:
            who = await self._who(request)
            if who is None:
                raise SignInNeeded(
                    "You are not signed in any more, so nothing was done.",
                    hint="Sign in and do it again.",
                )
            form = await read_form(request)
            if not is_from_us(request.headers) or not is_proof(form.get(FIELD, ""), who.session_id):
                raise SignInRefused(
                    "The form was not sent from a page of this session, so nothing was done.",
                    hint="Open the page again and send the form from there.",
                )
            require(who.principal, act.role, gives=act.gives)
            return _sent_on(await act.do(self._visit(request, who, form)))

        return self._guarded(answer)

    def _visit(self, request: Request, who: SignedIn, form: Mapping[str, str] = {}) -> PageVisit:
        path = {name: str(value)[:200] for name, value in request.path_params.items()}
        return PageVisit(self._parts, who, path, read_query(request.url.query), form)

    async def _who(self, request: Request) -> SignedIn | None:
        """Return who is signed in; from then on their connection is no stranger's."""
        found = await self._authentication.signed_in(request.headers.get("cookie"))
        if found is None or not found.session.roles_count(self._parts.clock.now()):
            return None
        proven = request.scope.get("proven")
        if proven is not None:
            proven()
        return found

    async def _asks_again(self, who: SignedIn) -> bool:
        """Return whether Entra is to be asked again who this is; not while it is away."""
        if self._authentication.flow is None or not who.session.asks_again(self._parts.clock.now()):
            return False
        try:
            await self._authentication.flow.begin()
        except Unavailable:
            return False
        return True

    def _open(self, show: Callable[[Request], Awaitable[Shown]]) -> Answer:
        """Answer whoever comes, signed in or not."""

        async def answer(request: Request) -> Response:
            return self._shown(await show(request))

        return self._guarded(answer)

    def _guarded(self, answer: Answer) -> Answer:
        """Answer with an error's page where there is one, and with the headers of every answer."""

        async def guarded(request: Request) -> Response:
            try:
                if not is_our_host(
                    request.headers.get("host", ""), self._parts.settings.console_url
                ):
                    raise _misdirected(self._parts.settings.console_url)
                response = await answer(request)
            except GuardError as error:
                response = self._error(error)
            except Exception:
                log.exception("page_failed", path=request.url.path[:80])
                response = self._error(_BUG)
            for name, value in (NOT_KEPT | self._always).items():
                response.headers.setdefault(name, value)
            return response

        return guarded

    async def _http_error(self, request: Request, error: Exception) -> Response:
        async def answer(_: Request) -> Response:
            if "text/html" in request.headers.get("accept", ""):
                raise _NO_PAGE
            # A program, or a URL of Dataverse that was misspelt.
            return problem(404, "There is nothing at this path.")

        return await self._guarded(answer)(request)

    async def _static(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in FILES:
            raise _NO_PAGE
        return Response(static_file(name), media_type=FILES[name], headers=KEPT)

    def _error(self, error: GuardError) -> Response:
        shown = Shown(
            "error.html", {"error": error, "status": error.http_status}, error.http_status
        )
        return self._shown(shown)

    def _shown(
        self, shown: Shown, *, who: SignedIn | None = None, here: str = "", said: str = ""
    ) -> Response:
        values: dict[str, Any] = {
            "now": self._parts.clock.now(),
            "pages": self._pages if who is not None else (),
            "here": here,
            "said": said,
            "who": who,
            "field": FIELD,
            "environment": self._parts.settings.environment,
            "observes": self._parts.settings.enforcement == "observe",
            **shown.values,
        }
        return HTMLResponse(rendered(shown.template, values), shown.status)


def _sent_on(done: Onward) -> Response:
    mark = "&" if "?" in done.path else "?"
    suffix = f"{mark}said={done.said}" if done.said else ""
    return RedirectResponse(done.path + suffix, 303)


class Misdirected(SignInRefused):
    """The browser used another address than the console's."""

    code = "misdirected"
    http_status = 421


def _misdirected(console_url: str) -> Misdirected:
    return Misdirected(
        "The console does not answer under this address.",
        hint=f"Open {console_url}." if console_url else "Open it on this machine, as 127.0.0.1.",
    )
