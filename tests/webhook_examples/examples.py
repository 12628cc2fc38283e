"""Read the examples of `webhook_examples/` as values, for every test that uses them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "webhook_examples"


@dataclass(frozen=True, slots=True)
class Expected:
    """The answer that an example must get; None leaves a point open."""

    status: int
    decision: str | None = None
    cause: str | None = None
    rules: tuple[str, ...] | None = None
    same_decision_as: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """One delivery, as it goes over the wire, and what must come back."""

    name: str
    title: str
    meant: str
    shows: tuple[str, ...]
    url: str
    headers: dict[str, str]
    body_source: str | dict[str, Any]
    expected: Expected
    curl: str
    after: tuple[str, ...] = ()
    note: str | None = None
    unknown_keys: tuple[str, ...] = field(default=())

    @property
    def body(self) -> bytes:
        """The bytes on the wire; a generated body is made here and kept nowhere."""
        if isinstance(self.body_source, dict):
            text: str = self.body_source["repeat"]
            return text.encode() * int(self.body_source["times"])
        return (FOLDER / self.name / self.body_source).read_bytes()

    @property
    def context(self) -> dict[str, Any] | None:
        """The execution context in the body, or None where the body holds none."""
        try:
            value = json.loads(self.body.decode("utf-8-sig"))
        except ValueError:
            return None
        return value if isinstance(value, dict) and "MessageName" in value else None


KEYS = {
    "title",
    "meant",
    "note",
    "shows",
    "after",
    "url",
    "headers",
    "body",
    "expect",
    "curl",
}


def read_example(folder: Path) -> Example:
    """The example in `folder`. Raises KeyError for a missing key, TypeError for a strange one."""
    raw = yaml.safe_load((folder / "example.yaml").read_text(encoding="utf-8"))
    expect = dict(raw["expect"])
    if "rules" in expect:
        expect["rules"] = tuple(expect["rules"])
    return Example(
        name=folder.name,
        title=raw["title"],
        meant=raw["meant"],
        note=raw.get("note"),
        shows=tuple(raw["shows"]),
        after=tuple(raw.get("after", ())),
        url=raw["url"],
        headers=dict(raw["headers"]),
        body_source=raw["body"],
        expected=Expected(**expect),
        curl=raw["curl"],
        unknown_keys=tuple(sorted(set(raw) - KEYS)),
    )


@cache
def all_examples() -> tuple[Example, ...]:
    """Every example, in the order of its number."""
    folders = sorted(path for path in FOLDER.iterdir() if path.is_dir())
    return tuple(read_example(folder) for folder in folders)


@cache
def tenant() -> dict[str, Any]:
    """The tenant in which the examples happen, as `tenant.yaml` holds it."""
    value: dict[str, Any] = yaml.safe_load((FOLDER / "tenant.yaml").read_text(encoding="utf-8"))
    return value
