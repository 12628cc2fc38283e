"""docs/api.md and docs/openapi.json: the API as it describes itself."""

from __future__ import annotations

import json
from typing import Any

from console.api.surface import PREFIX, describing
from console.reference.table import table

_HEAD = f"""\
# The API

What the commands show and do, for programs and for people who are elsewhere, under `{PREFIX}`.
The fields have the names of `--output json` ([contract](contract.md)).
[openapi.json](openapi.json) is the description that `GET {PREFIX}/openapi.json` gives: OpenAPI 3.1,
with an example of each answer.

## Who may ask

A program sends `Authorization: Bearer TOKEN`, a token of Entra for the application of this
installation; a browser that signed in sends its session, and to change anything the header
`x-guard-proof` with what the forms of the pages carry. What people may do goes by their app roles:

| role | may |
|---|---|
| Reader | read everything |
| Operator | also pause, resume and withdraw mailboxes, release brakes, and refuse what is held |
| Approver | read, and approve or refuse what is held |

What gives something back (a resumption, a release, an approval) takes a person whom Entra proves.
Whatever a person does is recorded with their name.

```console
$ curl -H "Authorization: Bearer $TOKEN" "https://guard.contoso.com{PREFIX}/decisions?limit=10"
```

## How it answers

- **Lists** come in pages, `{{"items": […], "next": …}}`. Ask on with `next` as `cursor`, and the
  same search, until it is null; the head `Link` has the whole address. What is decided meanwhile
  moves no page. A page of decisions looks through 20,000 records at most: one that holds few, or
  none, may have a next.
- **Whatever goes wrong** is a problem (RFC 9457, `application/problem+json`) with `type`, `title`,
  `status`, `detail`, and where it is known `code` ([errors](errors.md)), `hint` (the mend) and
  `problems` (each place that does not fit). Decide by `code`; texts may be reworded.
- **Nothing may be cached.** `ETag` and `If-None-Match` spare what is still the same: 304.
- **Bounds**: a body of 64 KiB, a query of 8 KiB, 200 entries a page, texts of 200 characters.

## What there is

"""


def api_page() -> str:
    """Return docs/api.md: every route with what it takes, gives, and for whom."""
    described = describing().openapi()
    operations = [
        (method, path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    rows = [
        (f"`{method.upper()} {path}`", operation["summary"], operation["x-app-role"])
        for method, path, operation in operations
    ]
    details = "".join(_details(*one, described) for one in operations)
    return _HEAD + table(("route", "what it does", "role"), rows) + "\n" + details


def description_file() -> str:
    """Return docs/openapi.json: the description as the API gives it."""
    return json.dumps(describing().openapi(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _details(method: str, path: str, operation: dict[str, Any], described: dict[str, Any]) -> str:
    about = operation["description"].rpartition("\n\nRole: ")[0]
    lines = [f"## `{method.upper()} {path}`", "", f"{operation['summary']}. {about}", ""]
    taken = [
        (f"`{one['name']}`", one["in"], one.get("description", ""))
        for one in operation.get("parameters", ())
    ]
    if taken:
        lines += [table(("parameter", "in", "meaning"), taken)]
    if "requestBody" in operation:
        told = operation["requestBody"]["content"]["application/json"]
        lines += ["It takes:", "", *_block(told["example"])]
    given = operation["responses"]["200"]["content"]["application/json"]
    lines += ["It gives:", "", *_block(given["example"])]
    return "\n".join(lines) + "\n"


def _block(example: Any) -> list[str]:
    return ["```json", json.dumps(example, indent=1, ensure_ascii=False), "```", ""]
