"""When what we prove ourselves with ends: seen a week ahead, so that nobody learns it on the day.

Entra tells when a secret ends only to who may read every application, a right that the guard should
not have. So the setting says it, as Entra shows it beside the secret; a certificate says it itself,
and is read anew each time, since it is renewed while the process runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from kernel.clock import Clock
from kernel.log import get_logger
from kernel.reading import why_unreadable
from kernel.settings import Settings

AHEAD = timedelta(days=7)
LOOK_SECONDS = 3600.0
_AGAIN = timedelta(days=1)

log = get_logger("credentials")


@dataclass(frozen=True, slots=True)
class CredentialEnd:
    """A credential, as people call it, and the moment from which on Entra takes it no more."""

    name: str
    ends: datetime

    def warning(self, now: datetime) -> str | None:
        """Return what to say of it; None while it has more than a week."""
        left = self.ends - now
        if left > AHEAD:
            return None
        if left <= timedelta(0):
            return f"{self.name} ended on {self.ends:%Y-%m-%d}."
        return f"{self.name} ends on {self.ends:%Y-%m-%d}: make a new one beside it, and set that."


@dataclass(slots=True)
class CredentialWatch:
    """Looks at the ends of our credentials; `show` takes those that are known, by name.

    Looking reads files and nothing else: a process may do so however it stands.
    """

    settings: Settings
    clock: Clock
    show: Callable[[Mapping[str, float]], None]
    syncs: bool = True
    _told_at: dict[str, datetime] = field(default_factory=dict)
    _known: tuple[CredentialEnd, ...] = ()

    async def look(self) -> None:
        """Learn the ends anew; what ends within a week is told in the log once a day."""
        now = self.clock.now()
        self._known = tuple(ends_of(self.settings, syncs=self.syncs))
        self.show({one.name: one.ends.timestamp() for one in self._known})
        for one in self._known:
            warning, told_at = one.warning(now), self._told_at.get(one.name)
            if warning is not None and (told_at is None or now - told_at >= _AGAIN):
                self._told_at[one.name] = now
                log.error("credential_ends", credential=one.name, ends=one.ends, error=warning)

    @property
    def warnings(self) -> list[str]:
        """Return what ends within a week, or has ended, in words."""
        now = self.clock.now()
        found = (one.warning(now) for one in self._known)
        return [warning for warning in found if warning is not None]


def ends_of(settings: Settings, *, syncs: bool = True) -> Sequence[CredentialEnd]:
    """Return the ends that are known; a credential that nothing is known of is left out."""
    guards = (settings.client_certificate_file, settings.client_secret, settings.client_secret_ends)
    others = (
        settings.sync_client_certificate_file,
        settings.sync_client_secret,
        settings.sync_client_secret_ends,
    )
    found = []
    for whose, (file, secret, secret_ends) in (("guard's", guards), ("sync's", others)):
        if whose == "sync's" and not syncs:
            # It is not loaded at all.
            continue
        if file is not None:
            ends = _certificate_end(file)
            if ends is not None:
                found.append(CredentialEnd(f"The {whose} certificate", ends))
        elif secret and secret_ends:
            # Entra shows the day; the secret may end at any time of it.
            at = datetime.combine(date.fromisoformat(secret_ends), time(), UTC)
            found.append(CredentialEnd(f"The {whose} client secret", at))
    return found


def _certificate_end(file: Path) -> datetime | None:
    # Costly to import, so only where there is a certificate.
    from cryptography.x509 import load_pem_x509_certificate

    try:
        pem = file.read_bytes()
        begins = pem.index(b"-----BEGIN CERTIFICATE-----")
        return load_pem_x509_certificate(pem[begins:]).not_valid_after_utc
    except (OSError, ValueError) as error:
        log.warning("certificate_not_read", file=str(file), error=why_unreadable(error))
        return None
