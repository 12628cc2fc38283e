"""URLs and filters in OData's way, always quoted; pages followed only inside the own service."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

from cloud.call import Answer
from cloud.errors import BadAnswer, ForeignLink
from cloud.origins import Service, origin_of

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


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
