"""Whether Entra gives each identity a token, and when what it proves itself with ends."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

from cloud.errors import CloudError, TokenRefused
from console.doctor.diagnosis import Diagnosis, Severity
from console.doctor.installation import Installation, OwnApplication, clients_of
from console.doctor.probe import Probe
from kernel.errors import GuardError
from kernel.reading import why_unreadable

SOON = timedelta(days=14)


class TokenGiven(Probe):
    """Every identity gets a token for every service."""

    code = "token-given"
    looks_at = "A token for each identity and service, asked of Entra."
    worst = Severity.ERROR
    means = (
        "Without a token nothing can be looked up: every fact is missing, so that guarded edits "
        "are rejected, and no mail is synced."
    )
    mend = "Check the tenant, the client id and the credential of this identity."

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Ask for a token of each scope."""
        return [one for identity in house.identities for one in await self._ask(identity)]

    async def _ask(self, identity: OwnApplication) -> list[Diagnosis]:
        try:
            connections = clients_of(identity)
        except GuardError as error:
            mend = error.hint or self.mend
            return [self.found(Severity.ERROR, error.message, about=identity.name, mend=mend)]
        found = []
        for scope in connections.scopes:
            about = f"{identity.name}, {scope.removesuffix('/.default')}"
            try:
                await connections.tokens.get(scope)
            except TokenRefused as error:
                told = f"{error.message} {error.excerpt}".strip()
                mend = error.hint or self.mend
                found.append(self.found(Severity.ERROR, told, about=about, mend=mend))
            except CloudError as error:
                found.append(self.not_known(error.message, about=about, mend=error.hint))
            else:
                found.append(self.well("A token is given.", about=about))
        return found


class CredentialEnding(Probe):
    """No secret or certificate of ours has ended or ends soon."""

    code = "credential-ending"
    looks_at = (
        "The end of each certificate, read from its file, and of each secret, as the setting says."
    )
    worst = Severity.ERROR
    means = (
        "When it ends Entra gives no token any more: guarded edits are rejected until there is a "
        "new one."
    )
    mend = "Make a new one in Entra beside the old one, set it, restart, then remove the old one."

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Look at what each identity proves itself with."""
        now = house.clock.now()
        return [one for identity in house.identities for one in self._of(identity, now)]

    def _of(self, identity: OwnApplication, now: datetime) -> list[Diagnosis]:
        if identity.certificate is not None:
            return [self._certificate(identity.certificate, identity.name, now)]
        if not identity.secret:
            # A managed identity has nothing that ends, and its token is asked for elsewhere.
            return []
        setting = "CLIENT_SECRET_ENDS" if identity.name == "guard" else "SYNC_CLIENT_SECRET_ENDS"
        if not identity.secret_ends:
            return [
                self.not_known(
                    "When the client secret ends is not known: Entra tells that only to who may "
                    "read every application.",
                    about=identity.name,
                    mend=f"Set MAILBOX_GUARD_{setting} to the date that Entra shows beside the "
                    "secret; or use a certificate, whose end can be read.",
                )
            ]
        ends = date.fromisoformat(identity.secret_ends)
        return [self._ending("The client secret", ends, identity.name, now)]

    def _certificate(self, file: Path, about: str, now: datetime) -> Diagnosis:
        # Costly to import, so only where there is a certificate.
        from cryptography.x509 import load_pem_x509_certificate

        try:
            pem = file.read_bytes()
            begins = pem.index(b"-----BEGIN CERTIFICATE-----")
            ends = load_pem_x509_certificate(pem[begins:]).not_valid_after_utc
        except (OSError, ValueError) as error:
            return self.not_known(
                f"The certificate {file} cannot be read: {why_unreadable(error)}.",
                about=about,
                mend="Give a PEM file with the private key and the certificate.",
            )
        return self._ending("The certificate", ends.date(), about, now)

    def _ending(self, what: str, ends: date, about: str, now: datetime) -> Diagnosis:
        left = ends - now.date()
        if left < timedelta(0):
            return self.found(Severity.ERROR, f"{what} ended on {ends}.", about=about)
        if left <= SOON:
            told = f"{what} ends on {ends}, in {left.days} days."
            return self.found(Severity.WARN, told, about=about)
        return self.well(f"{what} lasts until {ends}.", about=about)


class IdentitiesApart(Probe):
    """Who reads mailboxes is another application than who guards."""

    code = "identities-apart"
    looks_at = "Whether the application that reads mailboxes is another than the guard's."
    worst = Severity.WARN
    means = (
        "One application that both guards and reads mail has all the rights of both: whoever takes "
        "its secret reads mail and writes to Dataverse."
    )
    mend = (
        "Register a second application for mailbox access and set MAILBOX_GUARD_SYNC_CLIENT_ID "
        "with its credential; `serve --no-sync` never loads it."
    )

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Compare the client ids."""
        if house.is_shared:
            return [self.found(Severity.WARN, "Guard and sync share one identity.")]
        return [self.well("Guard and sync are two applications.")]
