"""Whether Dataverse can reach the guard, as far as that can be known from here."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import httpx

from console.doctor.diagnosis import Diagnosis, Severity
from console.doctor.installation import Installation, Prerequisite
from console.doctor.probe import Probe
from console.doctor.steps import registration_of
from kernel.errors import GuardError

SOON = timedelta(days=21)
SECONDS = 8.0
WRONG_KEY = "doctor-asks-with-a-wrong-key"
_HTTPS = 443


class OutsideReach(Probe):
    """The webhook has a public name, a certificate that anybody trusts, and refuses a wrong key."""

    code = "outside-reach"
    looks_at = (
        "The registered address: https on port 443, a name that resolves to public addresses, its "
        "certificate, and that a delivery with a wrong key is answered 401. From this machine: the "
        "way from Microsoft's cloud may differ."
    )
    worst = Severity.ERROR
    means = (
        "Where Dataverse cannot reach the guard, synchronous edits fail for everybody, and "
        "asynchronous ones are not seen."
    )
    mend = "Give the guard a public name with a publicly trusted certificate on port 443."

    async def ask(self, house: Installation) -> Sequence[Diagnosis]:
        """Look at the address, then go there."""
        url = await self._url(house)
        if not url:
            return [self.not_known("No address is known under which the guard is reached.",
                                   mend="Register the guard, or give --url.")]  # fmt: skip
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _HTTPS
        wrong = misplaced(url)
        if wrong is not None:
            return [self.found(Severity.ERROR, wrong, about=url)]
        answers = [await self._resolved(host, port, url)]
        if house.public_trust is None or not answers[0].is_clean:
            return answers
        answers.append(await self._certificate(host, port, url, house))
        if answers[-1].severity is not Severity.ERROR:
            answers.append(await self._refuses(url, house.public_trust))
        return answers

    async def _url(self, house: Installation) -> str:
        if house.webhook_url or Prerequisite.DATAVERSE in house.lacking:
            return house.webhook_url
        try:
            endpoint = (await registration_of(house)).endpoint
        except GuardError:
            return ""
        return "" if endpoint is None else endpoint.url

    async def _resolved(self, host: str, port: int, url: str) -> Diagnosis:
        try:
            async with asyncio.timeout(SECONDS):
                found = await asyncio.get_running_loop().getaddrinfo(
                    host, port, type=socket.SOCK_STREAM
                )
        except (OSError, TimeoutError):
            told = f"The name {host} does not resolve here."
            return self.found(Severity.ERROR, told, about=url)
        addresses = sorted({str(one[4][0]) for one in found})
        private = [one for one in addresses if not ipaddress.ip_address(one).is_global]
        if private:
            return self.not_known(
                f"{host} is {', '.join(private)} from here, which is not public: whether "
                "Microsoft's cloud sees a public address is not known.",
                about=url,
                mend="Look the name up from outside of your network.",
            )
        return self.well(f"{host} is {', '.join(addresses)}.", about=url)

    async def _certificate(self, host: str, port: int, url: str, house: Installation) -> Diagnosis:
        try:
            ends = await certificate_end(host, port, house.public_trust)
        except ssl.SSLCertVerificationError as error:
            told = f"The certificate is not trusted: {error.verify_message}."
            return self.found(Severity.ERROR, told, about=url)
        except (OSError, TimeoutError) as error:
            told = f"Nothing answers at {host}:{port}: {error or 'no answer in time'}."
            return self.not_known(told, about=url)
        left = ends - house.clock.now()
        told = f"The certificate is trusted and lasts until {ends:%Y-%m-%d}."
        if left <= SOON:
            mend = "Renew the certificate, and let that happen by itself."
            return self.found(Severity.WARN, told, about=url, mend=mend)
        return self.well(told, about=url)

    async def _refuses(self, url: str, trust: ssl.SSLContext) -> Diagnosis:
        try:
            async with httpx.AsyncClient(verify=trust, trust_env=False, timeout=SECONDS) as client:
                answer = await client.post(url, headers={"x-guard-key": WRONG_KEY}, content=b"{}")
        except httpx.HTTPError as error:
            return self.not_known(f"No answer came: {type(error).__name__}.", about=url)
        if answer.status_code == httpx.codes.UNAUTHORIZED:
            return self.well("A wrong key is refused.", about=url)
        return self.found(
            Severity.ERROR,
            f"A wrong key is answered {answer.status_code}, not 401.",
            about=url,
            means="Something else answers there, or whoever posts anything is believed.",
            mend="Let the address lead to the guard itself, past no page or portal.",
        )


def misplaced(url: str) -> str | None:
    """Return why Dataverse cannot deliver to an address, as far as the address alone tells."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "The address cannot be read."
    if parts.scheme != "https":
        return "The address is not https: the key would travel in the clear."
    if port not in (None, _HTTPS):
        return f"The address has port {port}; Dataverse goes to port 443."
    try:
        if not ipaddress.ip_address(host).is_global:
            return f"{host} is no public address."
    except ValueError:
        if "." not in host or host.endswith((".local", ".internal", ".localhost")):
            return f"{host or 'Nothing'} is no public name."
    return None


async def certificate_end(host: str, port: int, trust: ssl.SSLContext | None) -> datetime:
    """Return when the certificate ends that is shown there. Raises OSError, TimeoutError."""
    async with asyncio.timeout(SECONDS):
        _, writer = await asyncio.open_connection(host, port, ssl=trust, server_hostname=host)
        try:
            shown = writer.get_extra_info("peercert") or {}
        finally:
            writer.close()
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
