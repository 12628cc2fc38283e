"""Entra, Graph and Dataverse over HTTPS, holding a tenant such as `webhook_examples/tenant.yaml`.

Written for these tests from Microsoft's documentation and for nothing else: it answers the reads
that a decision needs and the keyed writes of a revert, and keeps what it was asked. It shares no
code with the sandbox, so that a mistake of one does not hide in the other.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

TENANT_ID = "72f988bf-0000-4000-8000-000000000001"
GUARD_APP = "7a000000-0000-4000-8000-000000000011"
SECRET = "an-example-client-secret"
TOKEN = "an-example-access-token"
KEYS = {
    "systemusers": "systemuserid",
    "queues": "queueid",
    "mailboxes": "mailboxid",
    "emailserverprofiles": "emailserverprofileid",
    "roles": "roleid",
    "teams": "teamid",
}
LOOKUPS = {
    "ownerid": "systemuser",
    "regardingobjectid": "systemuser",
    "emailserverprofile": "emailserverprofile",
}
LOGICAL = "@Microsoft.Dynamics.CRM.lookuplogicalname"
_ROW = re.compile(r"(\w+)\(([0-9a-fA-F-]{36})\)(?:/(.+))?\Z")
_TERM = re.compile(r"(\w+) eq (.+)\Z")
_PRIVILEGE = re.compile(r"PrivilegeName='([^']+)'")
_QUOTED = re.compile(r"'((?:[^']|'')*)'")


@dataclass
class TenantCloud:
    """The three services; `asked` holds method and path of every request, `written` every PATCH."""

    tenant: dict[str, Any]
    ca_file: Path
    ports: tuple[int, int, int]
    guard_user: str
    asked: list[str] = field(default_factory=list)
    written: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    is_down: bool = False
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, str]:
        """The settings of a guard for this cloud."""
        entra, graph, dataverse = (f"https://127.0.0.1:{port}" for port in self.ports)
        return {
            "authority_url": f"{entra}/{TENANT_ID}",
            "graph_url": graph,
            "dataverse_url": dataverse,
            "tenant_id": TENANT_ID,
            "client_id": GUARD_APP,
            "client_secret": SECRET,
            "ca_bundle_file": str(self.ca_file),
        }

    def application(self) -> Starlette:
        """Return the application that all three origins serve."""
        api = "/api/data/v9.2"
        role = "/v1.0/users/{key}/transitiveMemberOf/microsoft.graph.directoryRole"
        return Starlette(
            routes=[
                Route("/{tenant}/v2.0/.well-known/openid-configuration", self._metadata),
                Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
                Route("/v1.0/users", self._asked(self._users)),
                Route("/v1.0/users/{key}", self._asked(self._user)),
                Route("/v1.0/groups", self._asked(self._nothing)),
                Route("/v1.0/contacts", self._asked(self._nothing)),
                Route("/v1.0/directory/deletedItems/{kind}", self._asked(self._nothing)),
                Route(role, self._asked(self._directory_roles)),
                Route("/v1.0/users/{key}/mailboxSettings", self._asked(self._settings)),
                Route(f"{api}/WhoAmI", self._asked(self._who_am_i)),
                Route(api + "/{path:path}", self._asked(self._rows), methods=["GET", "PATCH"]),
            ]
        )

    def _asked(self, answer: Any) -> Any:
        async def guarded(request: Request) -> Response:
            self.asked.append(f"{request.method} {request.url.path}")
            if self.is_down:
                return JSONResponse({"error": {"code": "ServiceUnavailable"}}, 503)
            if request.headers.get("authorization") != f"Bearer {TOKEN}":
                return JSONResponse({"error": {"code": "InvalidAuthenticationToken"}}, 401)
            response: Response = await answer(request)
            return response

        return guarded

    # Entra

    async def _metadata(self, request: Request) -> Response:
        base = f"https://127.0.0.1:{self.ports[0]}/{request.path_params['tenant']}"
        return JSONResponse(
            {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "jwks_uri": f"{base}/discovery/v2.0/keys",
            }
        )

    async def _token(self, request: Request) -> Response:
        form = {name: texts[0] for name, texts in parse_qs((await request.body()).decode()).items()}
        if (form.get("client_id"), form.get("client_secret")) != (GUARD_APP, SECRET):
            told = "AADSTS7000215: Invalid client secret provided."
            return JSONResponse({"error": "invalid_client", "error_description": told}, 401)
        return JSONResponse({"token_type": "Bearer", "expires_in": 3599, "access_token": TOKEN})

    # Graph

    async def _user(self, request: Request) -> Response:
        found = self._person(request.path_params["key"])
        if found is None:
            return JSONResponse({"error": {"code": "Request_ResourceNotFound"}}, 404)
        return JSONResponse(found)

    async def _users(self, request: Request) -> Response:
        wanted = {
            text.replace("''", "'").lower().removeprefix("smtp:")
            for text in _QUOTED.findall(request.query_params.get("$filter", ""))
        }
        found = [one for one in self.tenant["entra"]["users"] if _addresses(one) & wanted]
        return JSONResponse({"value": found})

    async def _directory_roles(self, request: Request) -> Response:
        person = self._person(request.path_params["key"])
        if person is None:
            return JSONResponse({"error": {"code": "Request_ResourceNotFound"}}, 404)
        return JSONResponse(
            {"value": self.tenant["entra"]["directory_roles"].get(person["id"], [])}
        )

    async def _settings(self, request: Request) -> Response:
        person = self._person(request.path_params["key"])
        if person is None:
            return JSONResponse({"error": {"code": "Request_ResourceNotFound"}}, 404)
        return JSONResponse({"userPurpose": person.get("userPurpose", "user")})

    async def _nothing(self, request: Request) -> Response:
        return JSONResponse({"value": []})

    def _person(self, key: str) -> dict[str, Any] | None:
        for one in self.tenant["entra"]["users"]:
            if key.lower() in (one["id"], one["userPrincipalName"].lower()):
                return dict(one)
        return None

    # Dataverse

    async def _who_am_i(self, request: Request) -> Response:
        organization = self.tenant["organization"]
        return JSONResponse(
            {
                "OrganizationId": organization["id"],
                "BusinessUnitId": organization["business_unit"],
                "UserId": self.guard_user,
            }
        )

    async def _rows(self, request: Request) -> Response:
        path = request.path_params["path"]
        match = _ROW.match(path)
        if match is None:
            return self._listed(path, request)
        entity_set, row_id, further = match[1], match[2].lower(), match[3]
        row = self._row(entity_set, row_id)
        if row is None:
            return _refusal(404, "0x80040217", f"{entity_set} With Id = {row_id} Does Not Exist")
        if request.method == "PATCH":
            return await self._patched(entity_set, row, request)
        if further is None:
            return JSONResponse(self._on_the_wire(entity_set, row))
        return self._associated(row_id, further)

    def _row(self, entity_set: str, row_id: str) -> dict[str, Any] | None:
        if entity_set not in KEYS:
            return None
        held: list[dict[str, Any]] = self.tenant["dataverse"][entity_set]
        return next((one for one in held if one[KEYS[entity_set]] == row_id), None)

    def _listed(self, entity_set: str, request: Request) -> Response:
        if entity_set not in KEYS:
            return _refusal(404, "0x80060888", f"Resource not found for the segment '{entity_set}'")
        rows = [self._on_the_wire(entity_set, one) for one in self.tenant["dataverse"][entity_set]]
        condition = request.query_params.get("$filter")
        if condition:
            terms = [_TERM.match(term.strip("() ")) for term in condition.split(" or ")]
            if not all(terms):
                return _refusal(400, "0x80060888", f"This filter is not understood: {condition}")
            rows = [
                row
                for row in rows
                if any(term and str(row.get(term[1])) == term[2].strip("'") for term in terms)
            ]
        return JSONResponse({"value": rows})

    def _associated(self, user_id: str, further: str) -> Response:
        data = self.tenant["dataverse"]
        direct = data["user_roles"].get(user_id, [])
        teams = [team for team in data["teams"] if user_id in team["members"]]
        if further == "systemuserroles_association":
            return JSONResponse({"value": [self._role(one) for one in direct]})
        if further == "teammembership_association":
            value = [
                {
                    "teamid": team["teamid"],
                    "name": team["name"],
                    "teamtype": 0,
                    "teamroles_association": [self._role(one) for one in team["roles"]],
                }
                for team in teams
            ]
            return JSONResponse({"value": value})
        privilege = _PRIVILEGE.search(further)
        if privilege is None:
            return _refusal(404, "0x80060888", f"Resource not found for the segment '{further}'")
        held = {*direct, *(role for team in teams for role in team["roles"])}
        names = {n for one in data["roles"] if one["roleid"] in held for n in one["privileges"]}
        found = [{"Depth": "Global", "PrivilegeName": privilege[1]}]
        return JSONResponse({"RolePrivileges": found if privilege[1] in names else []})

    def _role(self, role_id: str) -> dict[str, Any]:
        row = self._row("roles", role_id)
        assert row is not None
        return {
            "roleid": role_id,
            "name": row["name"],
            "_roletemplateid_value": row["roletemplateid"],
            "_parentrootroleid_value": role_id,
        }

    async def _patched(self, entity_set: str, row: dict[str, Any], request: Request) -> Response:
        wanted = request.headers.get("if-match", "*")
        if wanted not in ("*", self._etag(row, entity_set)):
            return _refusal(412, "0x80060882", "The version of the existing record is newer")
        values = await request.json()
        row_id = row[KEYS[entity_set]]
        self.written.append((entity_set, row_id, values))
        self.versions[row_id] = self.versions.get(row_id, 1) + 1
        for name, value in values.items():
            column, at, _ = name.partition("@odata.bind")
            # A lookup is bound as `/systemusers(<id>)`.
            row[column] = str(value).partition("(")[2].rstrip(")") or None if at else value
        return Response(status_code=204)

    def _etag(self, row: dict[str, Any], entity_set: str) -> str:
        return f'W/"{self.versions.get(row[KEYS[entity_set]], 1)}"'

    def _on_the_wire(self, entity_set: str, row: dict[str, Any]) -> dict[str, Any]:
        shown: dict[str, Any] = {
            "@odata.etag": self._etag(row, entity_set),
            "createdon": "2025-01-15T09:00:00Z",
            "modifiedon": "2026-06-01T09:00:00Z",
        }
        for name, value in row.items():
            if name not in LOOKUPS:
                shown[name] = value
                continue
            is_pair = isinstance(value, dict)
            shown[f"_{name}_value"] = value["id"] if is_pair else value
            if value is not None:
                shown[f"_{name}_value{LOGICAL}"] = value["type"] if is_pair else LOOKUPS[name]
        return shown


def _addresses(person: dict[str, Any]) -> set[str]:
    proxies = (text.partition(":")[2] for text in person["proxyAddresses"])
    return {str(one).lower() for one in (person["userPrincipalName"], person["mail"], *proxies)}


def _refusal(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message}}, status)


@contextmanager
def tenant_cloud(tenant: dict[str, Any], folder: Path, *, guard_user: str) -> Iterator[TenantCloud]:
    """Serve the tenant on three ports of 127.0.0.1 until the end of the block."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    folder.mkdir(parents=True, exist_ok=True)
    ca_file, pem = folder / "ca.pem", folder / "server.pem"
    authority.cert_pem.write_to_path(ca_file)
    certificate.private_key_and_cert_chain_pem.write_to_path(pem)
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    ports = tuple(one.getsockname()[1] for one in sockets)
    cloud = TenantCloud(tenant, ca_file, (ports[0], ports[1], ports[2]), guard_user)
    server = uvicorn.Server(
        uvicorn.Config(
            cloud.application(),
            ssl_certfile=str(pem),
            lifespan="off",
            loop="asyncio",
            log_level="critical",
            timeout_graceful_shutdown=1,
        )
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": sockets}, daemon=True)
    thread.start()
    try:
        yield cloud
    finally:
        server.should_exit = True
        thread.join(10)
        for one in sockets:
            one.close()
