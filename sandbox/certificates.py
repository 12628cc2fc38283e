"""A throw-away certificate authority, so that every origin speaks HTTPS."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Certificates:
    """One authority and one server certificate, good for as long as the process lives."""

    def __init__(self, *, hosts: tuple[str, ...] = ("localhost", "127.0.0.1")) -> None:
        self._authority = trustme.CA()
        self._server = self._authority.issue_cert(*hosts)

    def server_context(self) -> ssl.SSLContext:
        """Return the context with which an origin serves."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._server.configure_cert(context)
        return context

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts the public authorities and this one."""
        context = ssl.create_default_context()
        self._authority.configure_trust(context)
        return context

    def bundle(self) -> bytes:
        """Return the authority's certificate as PEM."""
        pem: bytes = self._authority.cert_pem.bytes()
        return pem

    def write_bundle(self, path: Path) -> Path:
        """Write the authority's certificate where clients can be pointed at it."""
        path.write_bytes(self.bundle())
        return path
