"""Secrets are taken out of whatever is about to be shown, addresses of whatever is logged.

Three nets for secrets: values known to be secret (`conceal`), names that say so, and forms that
only secrets have. Each alone has holes; what is logged passes all three. A log is kept elsewhere,
by others and for longer than the ledger: it names rows and people by their ids alone.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"

_SECRET_NAME = re.compile(
    r"secret|password|passwd|authorization|cookie|token|assertion|authvalue|webhook_?keys?\b"
    r"|api_?key|guard-key|^code$|private_?key|credential|signature",
    re.IGNORECASE,
)
# Names that look like a secret and are none.
_HARMLESS = frozenset({"token_source", "token_scope", "cancellation_token"})
# As a value of an event `code` is an error's code; deeper, as of a query, it is the webhook's key.
_HARMLESS_ON_TOP = _HARMLESS | {"code"}

_IN_TEXT = re.compile(
    r"""(?ix)
    ( \b(?:bearer|basic)\s+ ) [a-z0-9._~+/=-]{8,}
  | ( (?<![\w.-]) (?:code|guard-key|sig) = ) [^&\s"'<>]+
  | ( (?:client_secret|client_assertion|assertion|access_token|refresh_token|id_token|password
        |x-guard-key|guard-key|authvalue|webhook_keys?) ["']? \s* [:=] \s* ["']? ) [^\s"'&,;}\]]+
  | ( ://[^/\s:@]*: ) [^\s/]+ (?=@)
  | ( \b ) eyJ[a-z0-9_-]{10,} (?: \.[a-z0-9_-]+ ){1,4}
  | ( -----BEGIN\s[a-z ]*PRIVATE\sKEY----- ) .*? (?: -----END\s[a-z ]*PRIVATE\sKEY----- | \Z )
    """,
    re.DOTALL,
)
_ADDRESS = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63})+")
# None of these forms, and no address, is made of such signs alone: an id, a word, a path of words.
_HARMLESS_TEXT = re.compile(r"[\w/-]*")
_SHORTEST = 6
_lock = threading.Lock()
_concealed: tuple[str, ...] = ()


def conceal(secrets: Iterable[str]) -> None:
    """Never show these texts again, wherever they turn up; for secrets read from settings."""
    global _concealed
    with _lock:
        known = set(_concealed)
        for text in secrets:
            if len(text) >= _SHORTEST:
                known |= {text, quote(text, safe=""), quote_plus(text)}
        # The longest first, so that no secret's tail survives a shorter one's removal.
        _concealed = tuple(sorted(known, key=len, reverse=True))


def redact(event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace, in place, every secret and every e-mail address in the values of a log event."""
    for name, value in event.items():
        if name == "exc_info":
            # It becomes text later, and is redacted then.
            continue
        if name not in _HARMLESS_ON_TOP and _says_secret(name):
            event[name] = REDACTED
        else:
            event[name] = _redacted(value)
    return event


def redacted_text(text: str) -> str:
    """Return the text without concealed secrets, tokens, keys, passwords and private keys."""
    for secret in _concealed:
        text = text.replace(secret, REDACTED)
    if _HARMLESS_TEXT.fullmatch(text):
        return text
    return _IN_TEXT.sub(lambda match: (match[match.lastindex or 1] or "") + REDACTED, text)


def without_addresses(text: str) -> str:
    """Return the text with a sign in the place of each e-mail address."""
    return _ADDRESS.sub("[address]", text) if "@" in text else text


def _shown(text: str) -> str:
    return without_addresses(redacted_text(text))


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return _shown(value)
    if value is None or isinstance(value, bool | int | float | datetime):
        return value
    if isinstance(value, bytes | bytearray):
        return _shown(bytes(value).decode("utf-8", "backslashreplace"))
    if isinstance(value, Mapping):
        return {_text(key): _redacted_as(_text(key), item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = list(value)
        if len(items) == 2 and isinstance(items[0], str | bytes):
            # Headers and form fields travel as pairs of name and value.
            return [_redacted(items[0]), _redacted_as(_text(items[0]), items[1])]
        return [_redacted(item) for item in items]
    return _shown(repr(value))


@lru_cache(maxsize=1024)
def _says_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _redacted_as(name: str, value: Any) -> Any:
    if name not in _HARMLESS and _says_secret(name):
        return REDACTED
    return _redacted(value)


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)
