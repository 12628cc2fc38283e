"""The sign-in origin: metadata, keys and the token endpoint of Entra ID."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from kernel.clock import Clock
from sandbox.authorization import Authorization, CodeRefused
from sandbox.client_proof import ClientProof, RequestRefused
from sandbox.device_codes import DeviceCodePending, DeviceCodes
from sandbox.directory import Application, Directory, Person
from sandbox.people import PUBLIC_CLIENT_ID, stable_id
from sandbox.routes import mark, route
from sandbox.sign_in_page import PAGE_PATH, SignInPage
from sandbox.tokens import LIFETIME_SECONDS, Tokens

CONFIGURATION = route("entra", "GET", "/{tenant}/v2.0/.well-known/openid-configuration")
KEYS = route("entra", "GET", "/{tenant}/discovery/v2.0/keys")
TOKEN = route("entra", "POST", "/{tenant}/oauth2/v2.0/token")
AUTHORIZE = route("entra", "GET", "/{tenant}/oauth2/v2.0/authorize")
AUTHORIZED = route("entra", "POST", "/{tenant}/oauth2/v2.0/authorize")
DEVICE_CODE = route("entra", "POST", "/{tenant}/oauth2/v2.0/devicecode")
READY_TOKEN = route("entra", "GET", "/sandbox/token")
REALM = route("entra", "GET", "/common/userrealm/{upn}")

_DEVICE_GRANTS = ("urn:ietf:params:oauth:grant-type:device_code", "device_code")
# By these names clients ask for tokens unless they are told otherwise.
_PUBLIC_NAMES = (
    (re.compile(r"https://graph\.microsoft\.(com|us)"), "graph"),
    (re.compile(r"https://[a-z0-9-]+\.(api\.)?crm[0-9]*\.dynamics\.com"), "dataverse"),
)
_OPENID = {"openid", "profile", "email", "offline_access"}


class Entra:
    """The tenant's sign-in service."""

    def __init__(self, directory: Directory, tokens: Tokens, *, origin: str, clock: Clock) -> None:
        self._directory = directory
        self._tokens = tokens
        self._origin = origin
        self._clock = clock
        self.resources: dict[str, str] = {}
        self._device_codes = DeviceCodes(clock)
        self._sign_in = SignInPage(directory, self._device_codes)
        self._proof = ClientProof(clock, lambda: self.authority)
        self._authorization = Authorization(directory, clock)

    def app(self) -> Starlette:
        """Return the origin's application."""
        return Starlette(
            routes=[
                Route("/common/userrealm/{upn}", self._realm),
                Route("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration),
                Route("/{tenant}/discovery/v2.0/keys", self._keys),
                Route("/{tenant}/oauth2/v2.0/token", self._token, methods=["POST"]),
                Route("/{tenant}/oauth2/v2.0/authorize", self._authorize, methods=["GET"]),
                Route("/{tenant}/oauth2/v2.0/authorize", self._authorized, methods=["POST"]),
                Route("/{tenant}/oauth2/v2.0/devicecode", self._device_code, methods=["POST"]),
                Route("/common/oauth2/deviceauth", self._sign_in.show, methods=["GET"]),
                Route("/common/oauth2/deviceauth", self._sign_in.take, methods=["POST"]),
                Route("/sandbox/token", self._ready_token, methods=["GET"]),
            ]
        )

    def serve_resource(self, origin: str, kind: str) -> None:
        """Issue tokens for this resource; its kind decides which application roles they carry."""
        self.resources[origin.rstrip("/")] = kind

    @property
    def authority(self) -> str:
        """The address that names sign-in service and tenant."""
        return f"{self._origin}/{self._directory.tenant_id}"

    def _knows(self, tenant: str) -> bool:
        known = (self._directory.tenant_id, self._directory.domain, "organizations", "common")
        return tenant.casefold() in known

    async def _realm(self, request: Request) -> Response:
        mark(request, REALM)
        upn = request.path_params["upn"]
        return JSONResponse(
            {
                "ver": "1.0",
                "account_type": "Managed",
                "domain_name": upn.rpartition("@")[2],
                "cloud_instance_name": "microsoftonline.com",
                "cloud_audience_urn": "urn:federation:MicrosoftOnline",
            }
        )

    async def _configuration(self, request: Request) -> Response:
        mark(request, CONFIGURATION)
        if not self._knows(request.path_params["tenant"]):
            return self._answer(self._unknown_tenant(request.path_params["tenant"]))
        authority = self.authority
        return JSONResponse(
            {
                "issuer": f"{authority}/v2.0",
                "authorization_endpoint": f"{authority}/oauth2/v2.0/authorize",
                "token_endpoint": f"{authority}/oauth2/v2.0/token",
                "jwks_uri": f"{authority}/discovery/v2.0/keys",
                "device_authorization_endpoint": f"{authority}/oauth2/v2.0/devicecode",
                "end_session_endpoint": f"{authority}/oauth2/v2.0/logout",
                "token_endpoint_auth_methods_supported": [
                    "client_secret_post",
                    "private_key_jwt",
                ],
                "response_modes_supported": ["query", "fragment", "form_post"],
                "response_types_supported": ["code", "id_token", "code id_token"],
                "scopes_supported": ["openid", "profile", "email", "offline_access"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "tenant_region_scope": "EU",
                "cloud_instance_name": "microsoftonline.com",
            }
        )

    async def _keys(self, request: Request) -> Response:
        mark(request, KEYS)
        return JSONResponse(self._tokens.key_set())

    async def _token(self, request: Request) -> Response:
        mark(request, TOKEN)
        body = (await request.body()).decode("utf-8", "replace")
        form = dict(parse_qsl(body, keep_blank_values=True))
        request.scope["state"]["caller"] = form.get("client_id")
        try:
            if not self._knows(request.path_params["tenant"]):
                raise self._unknown_tenant(request.path_params["tenant"])
            answer = self._grant(form)
        except RequestRefused as refusal:
            return self._answer(refusal, request.headers.get("client-request-id"))
        return JSONResponse(answer, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

    async def _device_code(self, request: Request) -> Response:
        mark(request, DEVICE_CODE)
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        try:
            application = self._application(form)
            self._audience(form.get("scope", ""))
        except RequestRefused as refusal:
            return self._answer(refusal, request.headers.get("client-request-id"))
        code = self._device_codes.begin(application.client_id, form["scope"])
        return JSONResponse(code.told(f"{self._origin}{PAGE_PATH}"))

    async def _ready_token(self, request: Request) -> Response:
        """Give out a token for a seeded person, as if they had signed in: no tenant has this."""
        mark(request, READY_TOKEN)
        person = self._directory.person(request.query_params.get("person", ""))
        kind = request.query_params.get("resource", "dataverse")
        resource = next((one for one, its in self.resources.items() if its == kind), None)
        application = self._directory.applications.get(PUBLIC_CLIENT_ID)
        if person is None or resource is None or application is None:
            told = "Name ?person=<sign-in name>&resource=dataverse or graph."
            return PlainTextResponse(told, 404)
        answer = self._signed_in(application, person, {"scope": f"{resource}/.default"})
        return PlainTextResponse(answer["access_token"])

    async def _authorize(self, request: Request) -> Response:
        mark(request, AUTHORIZE)
        return await self._authorization.show(request)

    async def _authorized(self, request: Request) -> Response:
        mark(request, AUTHORIZED)
        return await self._authorization.take(request)

    def _for_code(self, application: Application, form: Mapping[str, str]) -> dict[str, Any]:
        self._proof.prove(application, form)
        try:
            code = self._authorization.redeem(
                form.get("code", ""),
                application.client_id,
                redirect_uri=form.get("redirect_uri", ""),
                verifier=form.get("code_verifier", ""),
            )
        except CodeRefused as refused:
            raise RequestRefused("invalid_grant", refused.number, str(refused)) from None
        person = self._directory.person(code.upn)
        if person is None or not person.account_enabled:
            raise RequestRefused("invalid_grant", 50057, "The user account is disabled.")
        return self._signed_in(application, person, {"scope": code.scope}, nonce=code.nonce)

    def _for_device(self, application: Application, form: Mapping[str, str]) -> dict[str, Any]:
        try:
            upn, scope = self._device_codes.redeem(
                form.get("device_code", form.get("code", "")), application.client_id
            )
        except DeviceCodePending as pending:
            raise RequestRefused(pending.error, pending.number, str(pending)) from None
        person = self._directory.person(upn)
        if person is None or not person.account_enabled:
            raise RequestRefused("invalid_grant", 50057, "The user account is disabled.")
        return self._signed_in(application, person, {"scope": scope})

    def _grant(self, form: Mapping[str, str]) -> dict[str, Any]:
        application = self._application(form)
        grant = form.get("grant_type")
        if grant == "client_credentials":
            method = self._proof.prove(application, form)
            return self._for_application(application, form.get("scope", ""), method=method)
        if grant == "password":
            return self._for_person(application, form)
        if grant == "authorization_code":
            return self._for_code(application, form)
        if grant in _DEVICE_GRANTS:
            return self._for_device(application, form)
        raise RequestRefused(
            "unsupported_grant_type",
            70003,
            f"The app requested an unsupported grant type '{grant}'.",
        )

    def _application(self, form: Mapping[str, str]) -> Application:
        client_id = form.get("client_id", "")
        if not client_id:
            raise RequestRefused(
                "invalid_request",
                900144,
                "The request body must contain the following parameter: 'client_id'.",
            )
        application = self._directory.applications.get(client_id.casefold())
        if application is None:
            raise RequestRefused(
                "unauthorized_client",
                700016,
                f"Application with identifier '{client_id}' was not found in the directory "
                f"'{self._directory.domain}'.",
            )
        return application

    def _audience(self, scope: str) -> tuple[str, str]:
        """Return the one resource that the scope names, and its kind."""
        named = [part for part in scope.split() if part not in _OPENID]
        if not named and "openid" in scope.split():
            # Whoever asks for nothing but who signed in gets a token for Graph beside that.
            return next((one, its) for one, its in self.resources.items() if its == "graph")
        if not named:
            raise RequestRefused(
                "invalid_scope", 70011, "The provided value for scope is not valid."
            )
        resource, _, last = named[0].rpartition("/")
        if last != ".default":
            raise RequestRefused(
                "invalid_scope",
                1002012,
                f"The provided value for scope {scope} is not valid. Client credential flows must "
                "have a scope value with /.default suffixed to the resource identifier.",
            )
        resource = self._served(resource.rstrip("/"))
        if resource in self.resources:
            return resource, self.resources[resource]
        if resource.removeprefix("api://") in self._directory.applications:
            return resource.removeprefix("api://"), "api"
        raise RequestRefused(
            "invalid_resource",
            500011,
            f"The resource principal named {resource} was not found in the tenant named "
            f"{self._directory.domain}.",
        )

    def _served(self, resource: str) -> str:
        """Return the resource of this sandbox that a public name stands for, else the name."""
        for pattern, kind in _PUBLIC_NAMES:
            if resource not in self.resources and pattern.fullmatch(resource.lower()):
                return next((one for one, its in self.resources.items() if its == kind), resource)
        return resource

    def _for_application(
        self, application: Application, scope: str, *, method: str
    ) -> dict[str, Any]:
        audience, kind = self._audience(scope)
        claims: dict[str, Any] = {
            "appid": application.client_id,
            "appidacr": method,
            "app_displayname": application.display_name,
            "idtyp": "app",
            "oid": application.object_id,
            "sub": application.object_id,
            "tid": self._directory.tenant_id,
            "ver": "1.0",
        }
        # Without a consented role the claim is missing, it is never an empty list.
        if kind == "graph" and application.graph_roles:
            claims["roles"] = sorted(application.graph_roles)
        return self._bearer(self._tokens.issue(audience, claims))

    def _for_person(self, application: Application, form: Mapping[str, str]) -> dict[str, Any]:
        person = self._directory.person(form.get("username", ""))
        password = form.get("password", "")
        if person is None:
            text = f"The user account {form.get('username', '')} does not exist in the directory."
            raise RequestRefused("invalid_grant", 50034, text)
        if not person.password or not hmac.compare_digest(
            password.encode(), person.password.encode()
        ):
            raise RequestRefused(
                "invalid_grant",
                50126,
                "Error validating credentials due to invalid username or password.",
            )
        if not person.account_enabled:
            raise RequestRefused("invalid_grant", 50057, "The user account is disabled.")
        return self._signed_in(application, person, form)

    def _signed_in(
        self,
        application: Application,
        person: Person,
        form: Mapping[str, str],
        *,
        nonce: str | None = None,
    ) -> dict[str, Any]:
        audience, kind = self._audience(form.get("scope", ""))
        claims = self.person_claims(application, person, kind, audience)
        answer = self._bearer(self._tokens.issue(audience, claims))
        answer["scope"] = form.get("scope", "")
        if "openid" in form.get("scope", "").split():
            claims = self._identity_claims(application, person)
            if nonce is not None:
                claims["nonce"] = nonce
            answer["id_token"] = self._tokens.issue(application.client_id, claims)
        return answer

    def _identity_claims(self, application: Application, person: Person) -> dict[str, Any]:
        claims: dict[str, Any] = {
            "iss": f"{self.authority}/v2.0",
            "name": person.display_name,
            "oid": person.id,
            "preferred_username": person.upn,
            "sub": stable_id(f"pairwise/{application.client_id}/{person.id}"),
            "tid": self._directory.tenant_id,
            "ver": "2.0",
        }
        # Without an assigned role the claim is missing, it is never an empty list.
        if roles := application.app_roles.get(person.id):
            claims["roles"] = sorted(roles)
        return claims

    def person_claims(
        self, application: Application, person: Person, kind: str, audience: str = ""
    ) -> dict[str, Any]:
        """Return what a token says about a person who signed in to a resource of this kind."""
        claims: dict[str, Any] = {
            "appid": application.client_id,
            "azp": application.client_id,
            "idtyp": "user",
            "name": person.display_name,
            "oid": person.id,
            "sub": person.id,
            "preferred_username": person.upn,
            "scp": "User.Read" if kind == "graph" else "user_impersonation",
            "tid": self._directory.tenant_id,
            "unique_name": person.upn,
            "upn": person.upn,
            "ver": "1.0",
            "wids": [role.template_id for role in self._directory.roles_of(person)],
        }
        if kind == "api":
            claims |= {"iss": f"{self.authority}/v2.0", "ver": "2.0"}
            asked = self._directory.applications.get(audience)
            if asked is not None and (roles := asked.app_roles.get(person.id)):
                claims["roles"] = sorted(roles)
        return claims

    def _bearer(self, token: str) -> dict[str, Any]:
        return {
            "token_type": "Bearer",
            "expires_in": LIFETIME_SECONDS,
            "ext_expires_in": LIFETIME_SECONDS,
            "access_token": token,
        }

    def _unknown_tenant(self, tenant: str) -> RequestRefused:
        return RequestRefused(
            "invalid_request",
            90002,
            f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID.",
        )

    def _answer(self, refusal: RequestRefused, correlation_id: str | None = None) -> Response:
        trace, correlation = str(uuid4()), correlation_id or str(uuid4())
        stamp = self._clock.now().strftime("%Y-%m-%d %H:%M:%SZ")
        return JSONResponse(
            {
                "error": refusal.error,
                "error_description": f"AADSTS{refusal.number}: {refusal.text} Trace ID: {trace} "
                f"Correlation ID: {correlation} Timestamp: {stamp}",
                "error_codes": [refusal.number],
                "timestamp": stamp,
                "trace_id": trace,
                "correlation_id": correlation,
                "error_uri": f"{self._origin}/error?code={refusal.number}",
            },
            status_code=refusal.status,
        )
