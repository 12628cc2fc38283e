"""The API put together: its routes, its description, what goes around every request."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from console.api import examples
from console.api.access import Door
from console.api.bounds import Application, Bounds
from console.api.parts import ApiParts
from console.api.resources import brakes, decisions, holds, mailboxes, policies, system
from console.api.shapes import ProblemGiven
from console.problems import PROBLEM_JSON, answer_with_problems

PREFIX: Final = "/api/v1"
ROUTERS: Final = (
    decisions.router,
    holds.router,
    mailboxes.router,
    brakes.router,
    policies.router,
    system.router,
)
_ABOUT: Final = """\
What the commands of Mailbox Guard show and do, with the same names of fields (docs/contract.md).

Whatever goes wrong is told as a problem (RFC 9457); decide by `code`. A list is given in pages: ask
on with `next` as `cursor`, until it is null. Nothing may be cached; `ETag` spares what is the same.
"""
# What any route may answer besides what it is for.
_PROBLEMS: Final = {
    400: "What was given cannot be used.",
    401: "Nobody is signed in.",
    403: "Who asks may not do this.",
    404: "The named thing does not exist.",
    409: "What was believed is no longer so.",
    413: "The request is too large.",
    422: "The request does not fit.",
    503: "Something needed is not there for now.",
}


def api(parts: ApiParts) -> Application:
    """Return the application to be mounted at PREFIX."""
    app = describing()
    app.state.parts = parts
    app.state.knows = parts.knows
    return Bounds(app)


def describing() -> FastAPI:
    """Return the application without its parts: enough for its description."""
    app = FastAPI(
        title="Mailbox Guard",
        version="1",
        description=_ABOUT,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        separate_input_output_schemas=False,
        generate_unique_id_function=lambda route: route.name,
    )
    answer_with_problems(app)
    for router in ROUTERS:
        app.include_router(router)

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    app.openapi = described  # type: ignore[method-assign]
    return app


def _described(app: FastAPI) -> dict[str, Any]:
    """Return the description with what FastAPI cannot know: problems, proofs, roles."""
    schema = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    schema["servers"] = [{"url": PREFIX}]
    components = schema["components"]
    components["schemas"] = {
        name: one
        for name, one in components["schemas"].items()
        if name not in ("HTTPValidationError", "ValidationError")
    }
    components["schemas"]["Problem"] = ProblemGiven.model_json_schema()
    told = {"schema": {"$ref": "#/components/schemas/Problem"}, "example": examples.PROBLEM}
    components["responses"] = {
        f"Problem{status}": {"description": doc, "content": {PROBLEM_JSON: told}}
        for status, doc in _PROBLEMS.items()
    }
    roles = _roles(app)
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            role = roles[path, method]
            operation["description"] = (
                f"{operation.get('description', '').strip()}\n\nRole: {role}.".strip()
            )
            operation["x-app-role"] = role
            # Here and not at the routes: FastAPI would take every null out of them.
            name = operation["operationId"]
            operation["responses"]["200"]["content"]["application/json"]["example"] = (
                examples.ANSWERS[name]
            )
            if name in examples.BODIES:
                taken = operation["requestBody"]["content"]["application/json"]
                taken["example"] = examples.BODIES[name]
            proofs: tuple[str, ...] = ("session",) if method == "get" else ("session", "proof")
            session: dict[str, list[str]] = {name: [] for name in proofs}
            operation["security"] = [{"bearer": []}, session]
            for status in _PROBLEMS:
                operation["responses"][str(status)] = {
                    "$ref": f"#/components/responses/Problem{status}"
                }
    return schema


def _roles(app: FastAPI) -> dict[tuple[str, str], str]:
    """Return the app role that each route takes, by path and method, as its door says."""
    found: dict[tuple[str, str], str] = {}
    for router in ROUTERS:
        for route in router.routes:
            doors = [
                one.call
                for one in route.dependant.dependencies  # type: ignore[attr-defined]
                if isinstance(one.call, Door)
            ]
            for method in route.methods:  # type: ignore[attr-defined]
                found[route.path, method.lower()] = doors[0].told  # type: ignore[attr-defined]
    return found
