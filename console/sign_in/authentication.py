"""Who is at the other end of a request, and the ways in and out.

Pages know a person by the session of their browser, the API also by a bearer token.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection

from console.sign_in import cookies, sessions, under_way
from console.sign_in.asking import SignInApp
from console.sign_in.attempts import Attempts
from console.sign_in.code_flow import CodeFlow
from console.sign_in.cookies import Cookies
from console.sign_in.form_proof import proof_for
from console.sign_in.link import OneTimeLink
from console.sign_in.refusals import SignInNeeded, SignInRefused
from console.sign_in.seal import Seal
from console.sign_in.sessions import Session
from console.sign_in.tables import SESSION
from console.sign_in.token_check import TokenCheck
from kernel.clock import Clock
from kernel.database import Database
from kernel.errors import GuardError
from kernel.log import get_logger
from kernel.principal import Principal

_SEEN_SECONDS = 2.0

log = get_logger("sign-in")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session with its id, which only the browser and this request know."""

    session_id: str
    session: Session

    @property
    def principal(self) -> Principal:
        """Return who it is."""
        return self.session.principal

    @property
    def proof(self) -> str:
        """Return what every form of this session carries."""
        return proof_for(self.session_id)


@dataclass(slots=True)
class Authentication:
    """What a process needs to know people by.

    With `flow` they sign in with Entra, else by `link`; `guesses` counts the attempts at that.
    `check` is None where no authority is configured: then no bearer token proves anybody.
    """

    database: Database
    clock: Clock
    cookies: Cookies
    seal: Seal
    guesses: Attempts
    sign_ins: Attempts
    flow: CodeFlow | None = None
    link: OneTimeLink | None = None
    check: TokenCheck | None = None
    app: SignInApp | None = None

    def close(self) -> None:
        """Close the connections to Entra."""
        if self.app is not None:
            self.app.close()

    async def signed_in(self, cookie_header: str | None) -> SignedIn | None:
        """Return the session that a request belongs to. Raises Unavailable."""
        session_id = self.cookies.read(cookie_header, cookies.SESSION)
        if session_id is None:
            return None
        now = self.clock.now()
        found = await self.database.read(
            lambda c: sessions.find(c, session_id, seal=self.seal, now=now)
        )
        if found is None:
            return None
        if found.is_seen_anew(now):
            # Whoever only reads goes on when nothing can be written.
            with suppress(GuardError):
                await self.database.write(
                    lambda c: sessions.see(c, session_id, now=now),
                    failpoint=SESSION,
                    deadline_seconds=_SEEN_SECONDS,
                )
        return SignedIn(session_id, found)

    async def bearer(self, authorization: str) -> Principal:
        """Return who a bearer token proves. Raises SignInRefused, Unavailable."""
        if self.check is None:
            raise SignInRefused("No authority is configured, so no bearer token proves anybody.")
        return await self.check.bearer(authorization)

    async def begin(self, principal: Principal, *, before: str | None = None) -> str:
        """Let a session begin and return its id; the one before it, of this browser, ends."""
        session_id, now = sessions.new_session_id(), self.clock.now()

        def write(connection: Connection) -> None:
            if before is not None:
                sessions.end(connection, before)
            sessions.begin(connection, session_id, principal, seal=self.seal, now=now)

        await self.database.write(write, failpoint=SESSION)
        log.info("signed_in", proof=principal.proof.value, object_id=principal.object_id)
        return session_id

    async def end(self, signed_in: SignedIn) -> None:
        """Sign out; nobody is signed in with that session from here on."""
        session_id = signed_in.session_id
        await self.database.write(lambda c: sessions.end(c, session_id), failpoint=SESSION)

    async def go(self, next_path: str) -> tuple[str, str]:
        """Return where the browser signs in, and the ticket that it takes along."""
        if self.flow is None:
            raise SignInNeeded("Signing in with Entra is not set up.")
        kept = await self.flow.begin()
        ticket, now = secrets.token_urlsafe(32), self.clock.now()
        sealed = under_way.sealed(ticket, {"flow": kept, "next": next_path})
        await self.database.write(
            lambda c: under_way.keep(c, ticket, sealed, now=now), failpoint=SESSION
        )
        return str(kept["auth_uri"]), ticket

    async def come_back(
        self, ticket: str | None, answer: Mapping[str, str]
    ) -> tuple[Principal, str]:
        """Return who came back from Entra and where they wanted to go.

        Raises SignInRefused when nothing is known of it, or Entra signed nobody in; Unavailable.
        """
        now = self.clock.now()
        if self.flow is None or ticket is None:
            raise _unknown()
        sealed = await self.database.write(
            lambda c: under_way.take(c, ticket, now=now), failpoint=SESSION
        )
        kept = None if sealed is None else under_way.opened(ticket, sealed)
        if kept is None:
            raise _unknown()
        principal = await self.flow.finish(kept["flow"], answer)
        return principal, str(kept["next"])


def _unknown() -> SignInRefused:
    return SignInRefused(
        "This browser did not begin to sign in, or began longer ago than ten minutes.",
        hint="Begin again from the first page, with cookies allowed.",
    )
