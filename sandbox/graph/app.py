"""The Graph origin: authentication, routing, error envelope, headers."""

from __future__ import annotations

import asyncio
import json
import secrets
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from kernel.clock import Clock
from sandbox.directory import Directory
from sandbox.faults import FaultPlan
from sandbox.graph.asking import Answer, Ask, Served
from sandbox.graph.limits import Limiter, Limits
from sandbox.graph.mail import Mail
from sandbox.graph.mailboxes import Exchange
from sandbox.graph.mailroom import Mailroom
from sandbox.graph.paths import match, segments
from sandbox.graph.problems import Problem, envelope, no_segment
from sandbox.graph.recipients import Recipients
from sandbox.graph.rounds import Rounds
from sandbox.graph.sending import Sending
from sandbox.graph.users import Users
from sandbox.odata import parse_prefer
from sandbox.routes import mark
from sandbox.tokens import TokenRefused, Tokens

_CONTENT_TYPE = (
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;"
    "charset=utf-8"
)
_DIAGNOSTIC = '{"ServerInfo":{"DataCenter":"Sandbox","Slice":"E","Ring":"1","RoleInstance":"S"}}'


class Graph:
    """Microsoft Graph of the tenant."""

    def __init__(
        self,
        directory: Directory,
        exchange: Exchange,
        tokens: Tokens,
        faults: FaultPlan,
        clock: Clock,
    ) -> None:
        self._tokens, self._plan, self._clock = tokens, faults, clock
        self._directory = directory
        self.audiences: frozenset[str] = frozenset()
        self.mail = Mailroom(directory, exchange)
        self.limiter = Limiter(clock, Limits())
        self.latency_seconds = 0.0
        users = Users(directory, exchange)
        rounds = Rounds(self.mail, secret=secrets.token_hex(16))
        # A folder's delta comes before its messages: it looks like the key of one.
        self._served: list[Served] = [
            *users.routes(),
            *Recipients(directory).routes(),
            *rounds.routes(),
            *Mail(self.mail).routes(),
            *Sending(self.mail).routes(),
        ]

    def app(self) -> Starlette:
        """Return the origin's application."""
        methods = ["GET", "POST", "PATCH", "PUT", "DELETE"]
        return Starlette(routes=[Route("/{version}/{rest:path}", self._answer, methods=methods)])

    async def _answer(self, request: Request) -> Response:
        request_id = str(uuid4())
        client_id = request.headers.get("client-request-id", request_id)
        planned = self._plan.match("graph", request.method, unquote(str(request.url)))
        try:
            if planned is not None and not planned.after:
                response = planned.response()
            else:
                response = await self._dispatch(request)
        except Problem as problem:
            body = envelope(
                problem, now=self._clock.now(), request_id=request_id, client_request_id=client_id
            )
            response = JSONResponse(body, status_code=problem.status, headers=problem.headers)
            response.headers["Content-Type"] = _CONTENT_TYPE
        if planned is not None and planned.after:
            response = planned.response()
        response.headers["request-id"] = request_id
        response.headers["client-request-id"] = client_id
        response.headers["x-ms-ags-diagnostic"] = _DIAGNOSTIC
        response.headers.setdefault("Cache-Control", "no-cache")
        return response

    async def _dispatch(self, request: Request) -> Response:
        try:
            header = request.headers.get("authorization")
            bearer = self._tokens.check(header, audiences=self.audiences)
        except TokenRefused as error:
            raise Problem(
                401,
                "InvalidAuthenticationToken",
                str(error),
                headers={"WWW-Authenticate": 'Bearer realm="", client_id="00000003-0000-0000"'},
            ) from error
        request.scope["state"]["caller"] = bearer.app_id if bearer.is_app else bearer.upn
        version = request.path_params["version"]
        if version.lower() != "v1.0":
            raise no_segment(version)
        path = request.path_params["rest"]
        served, variables = self._route(request.method, path)
        mark(request, served.name)
        ask = Ask(
            bearer=bearer,
            variables=variables,
            options=_options(request),
            preferences=parse_prefer(request.headers.getlist("prefer")),
            headers=request.headers,
            body=await _body(request),
            base=f"{request.url.scheme}://{request.url.netloc}/v1.0",
            path=path,
            now=self._clock.now(),
        )
        if not served.enters_mailbox:
            return _response(ask, served.handler(ask))
        person = self._directory.person(variables["user"])
        key = (bearer.app_id, person.id if person else "")
        try:
            self.limiter.enter(*key)
            if self.latency_seconds:
                await asyncio.sleep(self.latency_seconds)
            return _response(ask, served.handler(ask))
        finally:
            self.limiter.leave(*key)

    def _route(self, method: str, path: str) -> tuple[Served, dict[str, str]]:
        parts = segments(path)
        known = False
        for served in self._served:
            variables = match(served.pattern, parts)
            if variables is not None:
                known = True
                if served.method == method:
                    return served, variables
        if known:
            raise Problem(405, "Request_BadRequest", "The method is not allowed here.")
        raise no_segment(parts[-1] if parts else "")


def _options(request: Request) -> dict[str, str]:
    """Return the query options; their names are compared without case, so `$` ones are lowered."""
    return {
        (name.lower() if name.startswith("$") else name): value
        for name, value in request.query_params.items()
    }


async def _body(request: Request) -> Any:
    data = await request.body()
    if not data:
        return None
    try:
        return json.loads(data)
    except ValueError as error:
        raise Problem(400, "BadRequest", "Unable to read JSON request payload.") from error


def _response(ask: Ask, answer: Answer) -> Response:
    headers = dict(answer.headers)
    if ask.applied:
        headers["Preference-Applied"] = ", ".join(ask.applied)
    if answer.content is not None:
        return Response(answer.content, answer.status, headers, answer.content_type)
    if answer.body is None:
        return Response(status_code=answer.status, headers=headers)
    headers |= {"Content-Type": _CONTENT_TYPE, "OData-Version": "4.0"}
    # Escaped, as Graph does: half a surrogate pair is legal in JSON and in no encoding.
    return Response(json.dumps(answer.body), answer.status, headers)
