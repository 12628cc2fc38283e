"""`policy fields`: what a policy may name, as the catalogue of a folder has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from console.output import Output, emit, output_option, table
from console.policy.options import FOLDER

if TYPE_CHECKING:
    from rules.model.catalogue import Catalogue, Entity


@click.command(help="List the fields that a policy may name.")
@click.argument("pattern", required=False, default="")
@click.option(
    "--policies", "folder", type=FOLDER, envvar="MAILBOX_GUARD_POLICIES_DIR",
    help="The policy folder whose catalogue is meant; default: the shipped one.",
)  # fmt: skip
@output_option()
def fields(pattern: str, folder: Path | None, outputs: Sequence[Output]) -> int:
    """PATTERN is a piece of the name or a glob. Exit 0, or 1 when no field fits."""
    from rules.load.loader import catalogue_of

    rows = list(_rows(catalogue_of(folder)))
    found = [row for row in rows if _fits(row, pattern)]
    emit(outputs, found, text=lambda: _text(found) if found else _none(pattern, rows))
    return 0 if found else 1


def _none(pattern: str, rows: Sequence[dict[str, Any]]) -> str:
    from rules.syntax.complaint import closest

    names = {name for row in rows for name in (row["field"], f"{row['entity']}.{row['field']}")}
    return " ".join(filter(None, (f"No field fits `{pattern}`.", closest(pattern, names))))


def _rows(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    for name, entity in catalogue.entities.items():
        yield from _fields(name, entity, prefix="")
    for name, entity in catalogue.shared.items():
        yield from _fields(name, entity, prefix=f"{name}.")


def _fields(name: str, entity: Entity, *, prefix: str) -> Iterator[dict[str, Any]]:
    for key in entity.names():
        field = entity.find(key)
        if field is None:
            continue
        yield {
            "entity": name,
            "field": f"{prefix}{key}",
            "column": field.name,
            "type": field.kind.value,
            "caseless": field.caseless,
            "personal": field.personal,
            "arrives": field.arrives.value,
            "looked_up": field.fact,
            "labels": dict(field.labels),
            "doc": field.doc,
        }


def _fits(row: dict[str, Any], pattern: str) -> bool:
    wanted = pattern.lower().removeprefix("new.").removeprefix("old.")
    name, whole = row["field"].lower(), f"{row['entity']}.{row['field']}".lower()
    if any(sign in wanted for sign in "*?["):
        return fnmatch(name, wanted) or fnmatch(whole, wanted)
    return wanted in name or wanted in whole or wanted in row["doc"].lower()


def _text(found: Sequence[dict[str, Any]]) -> str:
    rows = [
        (
            row["entity"],
            row["field"],
            row["type"],
            "any case" if row["caseless"] else "",
            row["arrives"],
            ": ".join(filter(None, (row["doc"], ", ".join(row["labels"])))),
        )
        for row in found
    ]
    return table(("entity", "field", "type", "compared", "arrives", "meaning: labels"), rows)
