"""From where a request may come: the console's own address, a page of ours, a path of ours."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LONGEST_PATH = 500


def is_our_host(host: str, console_url: str) -> bool:
    """Return whether the header Host names the console; without an address, this machine.

    A name that points here without our knowing could make a browser's own pages speak for us.
    """
    if console_url:
        return host.lower() == urlsplit(console_url).netloc.lower()
    try:
        return urlsplit(f"//{host}").hostname in _LOOPBACK
    except ValueError:
        return False


def is_this_machine(client: tuple[str, int] | None) -> bool:
    """Return whether the other end of the connection is on this machine."""
    return client is not None and client[0] in (*_LOOPBACK, "::ffff:127.0.0.1")


def is_from_us(headers: Mapping[str, str]) -> bool:
    """Return whether the browser says that a form was sent from a page of this origin.

    An old browser says nothing; the proof in the form decides in any case.
    """
    return headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")


def path_of_ours(text: str) -> str:
    """Return the path if it leads to a page of ours, the first page otherwise."""
    is_path = text.startswith("/") and not text.startswith(("//", "/\\"))
    is_plain = text.isascii() and text.isprintable() and "\\" not in text
    return text if is_path and is_plain and len(text) <= _LONGEST_PATH else "/"
