"""The whole sandbox: sign-in, Graph and Dataverse on three ports, one tenant behind them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kernel.clock import Clock, SystemClock
from sandbox import people, registration, seed_mail
from sandbox.access import Access, AccessLog
from sandbox.certificates import Certificates
from sandbox.dataverse.organization import Dataverse
from sandbox.dataverse.platform import Switches
from sandbox.dataverse.posts import Delivery
from sandbox.dataverse.rows import Row
from sandbox.dataverse.webapi import WebApi
from sandbox.directory import Person
from sandbox.entra import Entra
from sandbox.faults import FaultPlan
from sandbox.graph.app import Graph
from sandbox.graph.delta import StreamFaults
from sandbox.graph.mailboxes import Arrival, Exchange, Mailbox
from sandbox.graph.messages import Message
from sandbox.origin import Origin
from sandbox.people import Sample
from sandbox.tenant import SampleTenant, Tenant, furnish_person, person_of
from sandbox.tokens import Tokens


@dataclass(frozen=True, slots=True)
class Identity:
    """An application's credentials."""

    client_id: str
    secret: str


class Sandbox:
    """A running stand-in for the tenant's cloud; `start` and `stop` it in one event loop."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        switches: Switches | None = None,
        tenant: Tenant | None = None,
    ) -> None:
        self.tenant = tenant or SampleTenant()
        self.clock = clock or SystemClock()
        self._folder = tempfile.TemporaryDirectory(prefix="mailbox-guard-sandbox-")
        self.certificates = Certificates(hosts=("localhost", "127.0.0.1", host))
        self.ca_bundle_file = self.certificates.write_bundle(Path(self._folder.name) / "ca.pem")
        self.directory = self.tenant.directory()
        self.faults = FaultPlan()
        self.accesses = AccessLog(self.clock)
        context = self.certificates.server_context()
        self._entra_origin, self._graph_origin, self._dataverse_origin = (
            Origin(host, port + number if port else 0, context=context, clock=self.clock)
            for number in range(3)
        )
        issuer = f"https://sts.windows.net/{self.directory.tenant_id}/"
        self.tokens = Tokens(self.clock, issuer=issuer)
        self.entra = Entra(
            self.directory, self.tokens, origin=self._entra_origin.url, clock=self.clock
        )
        self.dataverse = Dataverse(
            self.directory,
            self.tenant.organization(),
            self.clock,
            trust=self.certificates.client_context(),
            switches=switches,
        )
        self.tenant.furnish(self.dataverse)
        self._webapi = WebApi(self.dataverse, self.tokens, self.faults)
        self._webapi.audiences = frozenset({self.dataverse_url})
        self.exchange = Exchange(self.directory.domain)
        self.tenant.furnish_mail(self.exchange, self.clock.now())
        self.graph = Graph(self.directory, self.exchange, self.tokens, self.faults, self.clock)
        self.graph.audiences = frozenset({self.graph_url})
        self.entra.serve_resource(self.graph_url, "graph")
        self.entra.serve_resource(self.dataverse_url, "dataverse")

    async def start(self) -> None:
        """Serve all three origins."""
        await self._entra_origin.start(self.accesses.watch(self.entra.app(), origin="entra"))
        await self._graph_origin.start(self.accesses.watch(self.graph.app(), origin="graph"))
        await self._dataverse_origin.start(
            self.accesses.watch(self._webapi.app(), origin="dataverse")
        )

    async def stop(self) -> None:
        """Stop serving; nothing of the tenant is kept."""
        await self.dataverse.close()
        origins = (self._entra_origin, self._graph_origin, self._dataverse_origin)
        await asyncio.gather(*(origin.stop() for origin in origins))
        self._folder.cleanup()

    async def __aenter__(self) -> Sandbox:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def authority_url(self) -> str:
        """The sign-in address, which carries the tenant."""
        return self.entra.authority

    @property
    def graph_url(self) -> str:
        """The origin of Graph."""
        return self._graph_origin.url

    @property
    def dataverse_url(self) -> str:
        """The origin of Dataverse."""
        return self._dataverse_origin.url

    def identity(self, client_id: str) -> Identity:
        """Return the credentials of an application of the tenant."""
        application = self.directory.applications[client_id]
        return Identity(client_id, next(iter(application.secrets)))

    @property
    def guard_identity(self) -> Identity:
        """The application with which the guard signs in."""
        return self.identity(self.tenant.guard_client_id)

    @property
    def sync_identity(self) -> Identity:
        """The application with which the synchroniser signs in."""
        return self.identity(self.tenant.sync_client_id or self.tenant.guard_client_id)

    def settings(self) -> dict[str, str]:
        """Return the settings with which a guard talks to this sandbox."""
        guard, sync = self.guard_identity, self.sync_identity
        second = {
            "MAILBOX_GUARD_SYNC_CLIENT_ID": sync.client_id,
            "MAILBOX_GUARD_SYNC_CLIENT_SECRET": sync.secret,
        }
        return {
            "MAILBOX_GUARD_AUTHORITY_URL": self.authority_url,
            "MAILBOX_GUARD_GRAPH_URL": self.graph_url,
            "MAILBOX_GUARD_DATAVERSE_URL": self.dataverse_url,
            "MAILBOX_GUARD_TENANT_ID": self.directory.tenant_id,
            "MAILBOX_GUARD_CLIENT_ID": guard.client_id,
            "MAILBOX_GUARD_CLIENT_SECRET": guard.secret,
            **(second if self.tenant.sync_client_id is not None else {}),
            "MAILBOX_GUARD_CA_BUNDLE_FILE": str(self.ca_bundle_file),
            "MAILBOX_GUARD_DELEGATED_APPROVER_ROLE_ID": self.tenant.approver_role_id,
        }

    def settings_lines(self) -> list[str]:
        """Return the settings as lines for a shell or an environment file."""
        return [f"{name}={value}" for name, value in self.settings().items()]

    def register(self, url: str, key: str, *, style: str = "header") -> str:
        """Register the guard's endpoint and steps; return the endpoint's id."""
        return registration.register(self.dataverse, url, key, style=style)

    def rows(self, table: str) -> list[Row]:
        """Return the committed rows of a table."""
        return self.dataverse.store.all(table)

    def row(self, table: str, record_id: str) -> Row | None:
        """Return a committed row."""
        return self.dataverse.store.get(table, record_id)

    def access_log(self) -> list[Access]:
        """Return every request to every origin, oldest first."""
        return list(self.accesses.entries)

    def webhook_log(self) -> list[Delivery]:
        """Return every delivery to a webhook, oldest first."""
        return list(self.dataverse.poster.deliveries)

    def person(self, alias: str) -> Person:
        """Return one of the people by alias or user principal name. Raises KeyError."""
        upn = alias if "@" in alias else f"{alias}@{self.directory.domain}"
        found = self.directory.person(upn)
        if found is None:
            raise KeyError(f"Nobody in the tenant is called {upn}.")
        return found

    def add_person(self, alias: str, *, title: str | None = None, mailbox: bool = True) -> Person:
        """Add a user object to the directory, with an Exchange mailbox; Dataverse knows nothing."""
        address = f"{alias}@{self.directory.domain}"
        person = Person(
            id=people.stable_id(f"entra/{alias}"),
            upn=address,
            display_name=title or alias,
            mail=address,
            proxy_addresses=[f"SMTP:{address}"],
            password=people.PASSWORD,
        )
        self.directory.people[person.id] = person
        if mailbox:
            self.exchange.create(person.id, address)
        return person

    def add_employee(
        self, alias: str, *, title: str | None = None, approved: bool = False
    ) -> Sample:
        """Add somebody as if they had always been there: directory, Exchange and Dataverse."""
        sample = Sample(alias, title or alias, approved=approved)
        self.directory.people[sample.object_id] = person_of(sample)
        self.exchange.create(sample.object_id, sample.address)
        furnish_person(self.dataverse, sample)
        return sample

    def user_token(self, alias: str, *, resource: str | None = None) -> str:
        """Return a token of one of the people, as signing in would give it to them.

        `resource` is an origin of this sandbox (Dataverse when left out) or an application's
        client id.
        """
        audience = resource or self.dataverse_url
        kind = self.entra.resources.get(audience, "api")
        application = self.directory.applications[people.PUBLIC_CLIENT_ID]
        claims = self.entra.person_claims(application, self.person(alias), kind, audience)
        return self.tokens.issue(audience, claims)

    def mailbox(self, alias: str) -> Mailbox:
        """Return the Exchange mailbox of one of the people."""
        return self.exchange.mailboxes[self.person(alias).id]

    def deliver_mail(
        self,
        alias: str,
        *,
        subject: str,
        sender: str = "customer@fabrikam.com",
        text: str = "",
        html: str | None = None,
        files: tuple[tuple[str, bytes], ...] = (),
        cc: tuple[str, ...] = (),
        folder: str = "inbox",
        message_id: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Message:
        """Let a mail arrive in somebody's mailbox."""
        mail = Arrival(
            subject=subject,
            sender=sender,
            text=text,
            html=html,
            cc=cc,
            folder=folder,
            message_id=message_id,
            headers=headers or {},
            attachments=tuple(seed_mail.attachment(name, data) for name, data in files),
        )
        return self.exchange.deliver(self.mailbox(alias), mail, now=self.clock.now())

    def stream_faults(self, alias: str) -> StreamFaults:
        """Return the switches by which somebody's delta streams misbehave."""
        return self.graph.mail.faults_of(self.person(alias).id)

    async def settle(self) -> None:
        """Return when no asynchronous delivery is under way."""
        await self.dataverse.jobs.settle()
