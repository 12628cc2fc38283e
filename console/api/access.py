"""Who asks, and whether they may: the doors of every route.

A program shows a bearer token of Entra, for the application of this installation. A browser shows
its session; whatever changes something also needs the proof that a page of ours sent it.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Depends, Request, Security
from fastapi.security import APIKeyCookie, APIKeyHeader, HTTPBearer

from console.api.refusals import ProofMissing
from console.sign_in.allowed import require
from console.sign_in.authentication import Authentication
from console.sign_in.cookies import SESSION
from console.sign_in.form_proof import is_proof
from console.sign_in.refusals import SignInNeeded
from kernel.principal import AppRole, Principal

PROOF_HEADER: Final = "x-guard-proof"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_bearer = HTTPBearer(
    auto_error=False,
    scheme_name="bearer",
    bearerFormat="JWT",
    description="A token of Entra for this installation's application, with an app role.",
)
_session = APIKeyCookie(
    name=SESSION,
    auto_error=False,
    scheme_name="session",
    description="The session of a browser that signed in at `/sign-in`.",
)
_proof = APIKeyHeader(
    name=PROOF_HEADER,
    auto_error=False,
    scheme_name="proof",
    description="What the pages carry in their forms; needed beside a session to change anything.",
)


async def principal_of(request: Request, knows: Authentication) -> Principal:
    """Return who asks. Raises SignInNeeded, SignInRefused, ProofMissing, Unavailable."""
    authorization = request.headers.get("authorization")
    if authorization is not None:
        return await knows.bearer(authorization)
    found = await knows.signed_in(request.headers.get("cookie"))
    if found is None or not found.session.roles_count(knows.clock.now()):
        raise SignInNeeded(
            "Nobody is signed in.",
            hint="Send a bearer token of Entra, or sign in with a browser; docs/api.md tells how.",
        )
    if request.method not in _SAFE:
        given = request.headers.get(PROOF_HEADER, "")
        if not is_proof(given, found.session_id):
            raise ProofMissing(
                f"The header {PROOF_HEADER} does not hold the proof of this session.",
                hint="Send what the forms of the pages carry; a bearer token needs none.",
            )
    return found.principal


class Door:
    """Lets in whoever has an app role; what `gives` something back takes a person of Entra.

    With `also`, who has that role instead gets in too.
    """

    def __init__(self, role: AppRole, *, gives: bool = False, also: AppRole | None = None) -> None:
        self.role = role
        self._gives = gives
        self._also = also

    @property
    def told(self) -> str:
        """Return which roles get in, for people."""
        return self.role.value + (f" or {self._also.value}" if self._also is not None else "")

    async def __call__(
        self,
        request: Request,
        bearer: Annotated[object, Security(_bearer)],
        session: Annotated[object, Security(_session)],
        proof: Annotated[object, Security(_proof)],
    ) -> Principal:
        """Return who asks. Raises what `principal_of` does, and RoleMissing."""
        principal = await principal_of(request, request.app.state.knows)
        # From here on the connection is no stranger's, who would have to make room for others.
        request.scope.get("proven", _nothing)()
        role = self._also if self._also is not None and principal.has(self._also) else self.role
        require(principal, role, gives=self._gives)
        return principal


def _nothing() -> None:
    """Do nothing: outside of `serve` nobody keeps count of strangers."""


READ: Final = Door(AppRole.READER)
ACT: Final = Door(AppRole.OPERATOR)
GIVE: Final = Door(AppRole.OPERATOR, gives=True)
APPROVE: Final = Door(AppRole.APPROVER, gives=True)
REFUSE: Final = Door(AppRole.APPROVER, also=AppRole.OPERATOR)

Reader = Annotated[Principal, Depends(READ)]
Operator = Annotated[Principal, Depends(ACT)]
Giver = Annotated[Principal, Depends(GIVE)]
Approver = Annotated[Principal, Depends(APPROVE)]
Refuser = Annotated[Principal, Depends(REFUSE)]
