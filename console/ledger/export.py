"""`decisions export`: decisions as a file that proves itself whole, with the persons or without."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from console.context import open_readable, settings_of
from console.ledger.wanted import as_told, filter_options
from console.output import Output, counted, output_option, write_whole
from console.progress import progress
from kernel.errors import InputRefused, SettingInvalid

if TYPE_CHECKING:
    from guard.ledger.filters import DecisionFilter
    from guard.ledger.pseudonyms import Masker
    from kernel.settings import Settings

FORMATS = ("jsonl", "csv")


@click.command(help="Write decisions as JSON lines or CSV, with an envelope that proves the file.")
@filter_options
@click.option("--masked", is_flag=True, help="Replace whatever names a person by a pseudonym.")
@output_option(FORMATS)
@click.pass_context
def export(ctx: click.Context, /, masked: bool, outputs: Sequence[Output], **wanted: Any) -> int:
    """Write the oldest first; exit 1 when some records could not be read, which are named.

    A file gets FILE.envelope.json beside it, signed where an anchor key is set.
    """
    from console.anchoring import signing_key
    from guard.ledger.anchor import statement_of
    from guard.ledger.envelope import SUFFIX, Imprint, envelope_of
    from guard.ledger.export import begin
    from guard.ledger.filters import DecisionFilter, refuse_misspelt
    from kernel.clock import SystemClock

    if len(outputs) > 1:
        raise click.UsageError("An export has one format.")
    output = outputs[0] if outputs else Output("jsonl")
    settings, asked = settings_of(ctx), DecisionFilter(**wanted)
    masker = _masker(settings) if masked else None
    key, now, imprint = signing_key(settings), SystemClock().now(), Imprint()

    def run(connection: Any) -> tuple[dict[str, Any], list[str], dict[str, int]]:
        begin(connection)
        refuse_misspelt(connection, asked)
        stated = statement_of(connection, now=now)
        with _opened(output.file) as out:

            def write(text: str) -> None:
                data = text.encode("utf-8", "backslashreplace")
                imprint.take(data)
                out.write(data)

            return stated, *_write(connection, asked, output.format, masker, write)

    with open_readable(settings) as database:
        stated, unreadable, counts = database.read_now(run)
    if output.file is not None:
        form = {"format": output.format, "masked": masked}
        if masker is not None:
            form["key_id"] = masker.key_id
        envelope = envelope_of(
            imprint, form=form, asked=as_told(wanted), counts=counts, anchor=stated, key=key,
            now=now,
        )  # fmt: skip
        beside = output.file.with_name(output.file.name + SUFFIX)
        write_whole(beside, envelope + "\n")
        click.echo(f"{counted(counts['decisions'], 'decision')} in {output.file}.", err=True)
    for decision_id in unreadable:
        click.echo(f"The record of decision {decision_id} was altered and is left out.", err=True)
    return 1 if unreadable else 0


def _masker(settings: Settings) -> Masker:
    from guard.ledger.pseudonyms import Masker, Pseudonyms
    from rules.load.loader import catalogue_of

    return Masker(pseudonyms_of(settings, Pseudonyms.read), catalogue_of(settings.policies_dir))


def pseudonyms_of(settings: Settings, read: Callable[[Path], Any]) -> Any:
    """Return the keys of the settings as `read` reads them; SettingInvalid without a file."""
    file = settings.pseudonym_key_file
    if file is None:
        raise SettingInvalid(
            "MAILBOX_GUARD_PSEUDONYM_KEY_FILE names no file, and without a key there are no "
            "pseudonyms.",
            hint="Make one: openssl rand -hex 32 > pseudonym-keys; chmod 600 pseudonym-keys",
        )
    return read(file)


def _write(
    connection: Any,
    asked: DecisionFilter,
    form: str,
    masker: Masker | None,
    write: Callable[[str], None],
) -> tuple[list[str], dict[str, int]]:
    from console.edits import csv_of, events_of
    from guard.ledger.export import pages
    from guard.ledger.replay import count_decisions

    unreadable: list[str] = []
    written = without_private = 0
    if form == "csv":
        write(csv_of([]) + "\n")
    with progress("exported") as advance:
        total = count_decisions(connection, since=asked.since, until=asked.until)
        for page in pages(connection, asked):
            found = page.decisions
            without_private += sum(one["masked"] for one in found)
            if masker is not None:
                found = [masker.masked(one) for one in found]
            if form == "jsonl":
                write("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in found))
            elif found:
                write(csv_of(events_of(found), head=False) + "\n")
            written += len(found)
            unreadable += page.unreadable
            advance(page.seen, max(total, page.seen))
    counts = {
        "decisions": written,
        "masked_before": without_private,
        "unreadable": len(unreadable),
    }
    return unreadable, counts


@contextmanager
def _opened(file: Path | None) -> Iterator[BinaryIO]:
    """Open a file that is in its place only once all of it is durable; without one, stdout.

    It holds personal data, so it is its owner's alone. Raises InputRefused when it can't
    be written.
    """
    if file is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    beside = file.with_name(f".{file.name}.part")
    try:
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
        os.replace(beside, file)
    except OSError as error:
        raise InputRefused(
            f"{file} was not written: {error.strerror}.",
            hint="Name a file that can be written, in a folder that is there.",
        ) from error
    finally:
        with suppress(OSError):
            beside.unlink()


@click.command(help="Tell the pseudonyms of a person's address, sign-in name or id.")
@click.argument("values", metavar="VALUE...", nargs=-1, required=True)
@click.pass_context
def pseudonym(ctx: click.Context, values: tuple[str, ...]) -> None:
    """Print them one a line, of each key the newest first, to search masked exports for."""
    from guard.ledger.pseudonyms import Pseudonyms

    found = pseudonyms_of(settings_of(ctx), Pseudonyms.read)
    for value in values:
        for one in found.all_of(value):
            click.echo(one)
