"""Collections of directory objects: filtered, sorted, counted, a page at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandbox.graph.asking import Answer, Ask
from sandbox.graph.problems import Problem, unsupported
from sandbox.odata import QueryRefused, parse_filter, sort_key, split_outside

_ADVANCED = (" ne ", "endswith(", "not ", "not(")
_LARGEST_PAGE = 999


def chosen(body: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    """Return the selected properties; the id always comes along."""
    wanted = {name.casefold() for name in names}
    kept = {name: value for name, value in body.items() if name.casefold() in wanted}
    return {"id": body["id"], **kept} if names and "id" in body else kept


def listed(
    ask: Ask, objects: list[dict[str, Any]], context: str, default: Iterable[str] = ()
) -> Answer:
    """Return a page of the objects that the query wants. Raises Problem."""
    text = ask.options.get("$filter", "")
    eventual = ask.headers.get("consistencylevel", "").casefold() == "eventual"
    counting = ask.options.get("$count", "").casefold() == "true"
    lowered = f" {text.lower()}"
    if any(word in lowered for word in _ADVANCED) and not (eventual and counting):
        raise unsupported("Unsupported Query: ConsistencyLevel and $count are required.")
    if counting and not eventual:
        raise Problem(400, "Request_BadRequest", "$count is not currently supported.")
    if text:
        try:
            wanted = parse_filter(text)
            objects = [one for one in objects if wanted(one.get)]
        except QueryRefused as error:
            raise Problem(400, "BadRequest", f"Invalid filter clause: {error}") from error
    for part in reversed(split_outside(ask.options.get("$orderby", ""), ",")):
        name, _, way = part.partition(" ")
        objects.sort(
            key=lambda one, name=name: sort_key(one.get(name)),  # type: ignore[misc]
            reverse=way.strip().lower() == "desc",
        )
    return page_of(ask, objects, context, default, count=counting)


def page_of(
    ask: Ask,
    objects: list[dict[str, Any]],
    context: str,
    default: Iterable[str] = (),
    *,
    count: bool = False,
) -> Answer:
    """Return the page that the query asks for. Raises Problem."""
    size = min(ask.whole("$top", default=100), _LARGEST_PAGE)
    start = ask.whole("$skiptoken", default=0)
    select = ask.options.get("$select")
    body: dict[str, Any] = {
        "@odata.context": f"{ask.base}/$metadata#{context}" + (f"({select})" if select else "")
    }
    if count:
        body["@odata.count"] = len(objects)
    if start + size < len(objects):
        kept = {k: v for k, v in ask.options.items() if k.lower() != "$skiptoken"}
        query = "&".join(f"{key}={value}" for key, value in kept.items())
        link = f"{ask.base}/{ask.path}?{query}&$skiptoken={start + size}"
        body["@odata.nextLink"] = link.replace(" ", "%20").replace("?&", "?")
    names = ask.select() or list(default)
    page = objects[start : start + size]
    body["value"] = [
        {
            **{key: value for key, value in one.items() if key.startswith("@")},
            **chosen(one, names or one),
        }
        for one in page
    ]
    return Answer(body)
