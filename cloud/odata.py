"""URLs and filters in OData's way, always quoted; pages followed only inside the own service."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit

from cloud.access import mailbox_of
from cloud.call import Answer
from cloud.errors import BadAnswer, ForeignLink
from cloud.origins import Service, origin_of

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_KEY = re.compile(r"/users(?:/(?P<plain>[^/()]+)|\('(?P<keyed>[^'/]+)'\))(?=/)", re.IGNORECASE)
_NOT_STRAIGHT = re.compile(r"(?:^|/)\.\.?(?:/|$)|\\|//")


def is_guid(text: str) -> bool:
    """Tell whether the text is a GUID in its plain form."""
    return _GUID.fullmatch(text) is not None


def literal(text: str) -> str:
    """Return the text as an OData string: in quotes, its own quotes doubled."""
    return "'" + text.replace("'", "''") + "'"


def segment(text: str) -> str:
    """Return the text as one segment of a path."""
    return quote(text, safe="")


def query(options: Mapping[str, str | None]) -> str:
    """Return `?a=b&c=d`, names as they are, values quoted, None left out; empty for nothing."""
    given = {name: value for name, value in options.items() if value}
    return "?" + urlencode(given, safe="$,'()/:=", quote_via=quote) if given else ""


def select(columns: Sequence[str]) -> str | None:
    """Return the value of `$select`, None for every column."""
    return ",".join(columns) or None


def own_link(service: Service, link: Any) -> str | None:
    """Return a link of an answer, None when there is none.

    Raises ForeignLink when it leads to another origin: it would carry the token there.
    """
    if link is None or link == "":
        return None
    if not isinstance(link, str) or origin_of(link) != service.origin:
        raise ForeignLink(
            f"{service.name}: a link leads to {origin_of(str(link)) or 'no http(s) origin'}.",
            hint=f"Only {service.origin} is followed; check that a proxy keeps the links.",
        )
    return link


def link_within(link: str, object_id: str, service: Service) -> str | None:
    """Return a link of Graph as one into that mailbox; None for one that leads elsewhere.

    Whoever follows it reaches no other mailbox, whatever it says: a mailbox that is written in
    another way than by its object id, as a service may, is replaced by the object id.
    """
    parts = urlsplit(link)
    base = urlsplit(service.base_url).path
    if not parts.path.lower().startswith(f"{base.lower()}/"):
        return None
    if _NOT_STRAIGHT.search(unquote(parts.path)):
        return None
    key = _KEY.match(parts.path, len(base))
    if key is None or not mailbox_of(link, service):
        return None
    name = "plain" if key["plain"] is not None else "keyed"
    if key[name].lower() == object_id.lower():
        return link
    if is_guid(key[name]):
        return None
    path = parts.path[: key.start(name)] + object_id + parts.path[key.end(name) :]
    return urlunsplit(parts._replace(path=path))


def rows_of(answer: Answer, page: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the objects under `value`; raises BadAnswer when there is no such list."""
    value = list_of(answer, page)
    if not all(isinstance(row, dict) for row in value):
        raise BadAnswer(
            "The service answered with something else than objects under `value`.",
            status=answer.status,
            request_id=answer.request_id,
            client_request_id=answer.client_request_id,
        )
    return value


def list_of(answer: Answer, page: Mapping[str, Any]) -> list[Any]:
    """Return what is under `value`; raises BadAnswer when that is no list."""
    value = page.get("value")
    if not isinstance(value, list):
        raise BadAnswer(
            "The service answered without a list under `value`.",
            status=answer.status,
            request_id=answer.request_id,
            client_request_id=answer.client_request_id,
        )
    return value
