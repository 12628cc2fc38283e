"""Forms as browsers send them, read within bounds."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from kernel.errors import InputRefused

MOST_BYTES = 64 * 1024
MOST_FIELDS = 200
MOST_QUERY = 4000
_TYPE = "application/x-www-form-urlencoded"


class FormUnreadable(InputRefused):
    """What was sent is no form, or a larger one than any page of ours has."""

    code = "form-unreadable"


async def read_form(request: Request) -> Mapping[str, str]:
    """Return the fields of a form; of a field that comes twice the last counts.

    Raises FormUnreadable.
    """
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _TYPE:
        raise FormUnreadable("What was sent is no form.", hint="Use the buttons of the pages.")
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise FormUnreadable(f"The form has more than {MOST_BYTES} bytes.", hint="Shorten it.")
    return _fields(body.decode("utf-8", "replace"))


def read_query(text: str) -> Mapping[str, str]:
    """Return the fields of an address. Raises FormUnreadable."""
    if len(text) > MOST_QUERY:
        raise FormUnreadable("The address is too long.", hint="Begin again from the first page.")
    return _fields(text)


def _fields(text: str) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise FormUnreadable("What was sent has too many fields.") from None
    return {name: value.replace("\x00", "") for name, value in pairs}
