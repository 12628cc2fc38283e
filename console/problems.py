"""Errors as RFC 9457 words them: one shape for whatever this server answers in JSON.

`type` names the sort of error for programs: our own by their code, anything else by its status
alone (`about:blank`). `detail` and `hint` are for people and may be reworded.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from kernel.errors import Bug, GuardError
from kernel.log import Sparing, get_logger

PROBLEM_JSON: Final = "application/problem+json"
OURS: Final = "urn:mailbox-guard:"
UNFIT: Final = "request-unfit"
_BLANK: Final = "about:blank"
_MOST_ERRORS: Final = 20
_MOST_DETAIL: Final = 500

log = get_logger("serve")
sparing = Sparing()


def problem(
    status: int,
    detail: str,
    *,
    code: str | None = None,
    hint: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> JSONResponse:
    """Return the answer that tells an error; what is None is left out."""
    body = {
        "type": _BLANK if code is None else OURS + code,
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "hint": hint,
        **more,
    }
    return JSONResponse(
        {name: value for name, value in body.items() if value is not None},
        status_code=status,
        media_type=PROBLEM_JSON,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def problem_of(error: GuardError) -> JSONResponse:
    """Return the answer for an error of ours; of our own faults nothing but that they are."""
    headers: dict[str, str] = {}
    if error.http_status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if isinstance(error, Bug) or (error.http_status >= 500 and not error.transient):
        log.error("request_failed", error_code=error.code, error=error.message)
        return problem(500, "Something went wrong here; the log tells more.", code=Bug.code)
    if error.transient:
        headers["Retry-After"] = "5"
    return problem(
        error.http_status,
        error.message,
        code=error.code,
        hint=error.hint,
        headers=headers,
        problems=error.context.get("problems"),
    )


def answer_with_problems(app: FastAPI) -> None:
    """Let whatever goes wrong in an application be told as a problem."""

    @app.exception_handler(GuardError)
    async def ours(request: Request, error: GuardError) -> JSONResponse:
        return problem_of(error)

    @app.exception_handler(RequestValidationError)
    async def unfit(request: Request, error: RequestValidationError) -> JSONResponse:
        found = [
            {"at": ".".join(map(str, one["loc"]))[:200], "detail": str(one["msg"])[:200]}
            for one in error.errors()[:_MOST_ERRORS]
        ]
        detail = f"The request does not fit: {found[0]['at']}: {found[0]['detail']}"
        return problem(422, detail[:_MOST_DETAIL], code=UNFIT, problems=found)

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == HTTPStatus.NOT_FOUND:
            return problem(404, "There is nothing at this path.")
        return problem(error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(Exception)
    async def unforeseen(request: Request, error: Exception) -> JSONResponse:
        # No traceback reaches a person; where it happened stands in the log.
        sparing.warn(log, "request_failed", kind=type(error).__name__, error=type(error).__name__)
        return problem(500, "Something went wrong here; the log tells more.", code=Bug.code)
