"""What an interrupted scan had judged: a file of JSON lines, one row each.

A line is believed for a day: what was looked up for it, such as an owner's name, grows old.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from guard.watch.scan import ScannedRow
from kernel.errors import InputRefused
from kernel.reading import why_unreadable
from rules.engine.row import Judgement

BELIEVED = timedelta(days=1)


def read_log(file: Path, *, now: datetime) -> dict[str, Judgement]:
    """Return the judgements of a log by their fingerprints; none when the file is not there yet.

    Raises InputRefused for a file that is no scan log. A last line cut off by a crash is dropped.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise InputRefused(
            f"The scan log {file} cannot be read: {why_unreadable(error)}.",
            hint="Give another --resume file.",
        ) from error
    known: dict[str, Judgement] = {}
    for number, line in enumerate(lines, start=1):
        try:
            told = json.loads(line)
            judged_at = datetime.fromisoformat(told["judged_at"])
            fingerprint = str(told["fingerprint"])
            judgement = Judgement(
                told["result"],
                tuple(told["rules"]),
                tuple(told["not_evaluable"]),
                tuple(told["evaluated"]),
                (),
            )
        except (ValueError, KeyError, TypeError) as error:
            if number == len(lines):
                break
            raise InputRefused(
                f"{file}:{number} is not a line of a scan log.", hint="Give another --resume file."
            ) from error
        if now - judged_at < BELIEVED:
            known[fingerprint] = judgement
    return known


@contextmanager
def write_log(
    file: Path, known: dict[str, Judgement], now: Callable[[], datetime]
) -> Iterator[Callable[[ScannedRow], None]]:
    """Append each row that was judged anew, at once, so that an interruption loses one at most."""
    _drop_cut_line(file)
    with file.open("a", encoding="utf-8") as log:

        def note(row: ScannedRow) -> None:
            judgement = row.judgement
            # What errs is asked again: the service that did not answer may do so then.
            if row.fingerprint in known or judgement.result == "error":
                return
            line = {
                "judged_at": now().isoformat(),
                "fingerprint": row.fingerprint,
                "result": judgement.result,
                "rules": judgement.rules,
                "not_evaluable": judgement.not_evaluable,
                "evaluated": judgement.evaluated,
            }
            log.write(json.dumps(line) + "\n")
            log.flush()

        yield note


def _drop_cut_line(file: Path) -> None:
    """Take away a last line that an interruption left half written."""
    if not file.exists():
        return
    content = file.read_bytes()
    if content and not content.endswith(b"\n"):
        with file.open("r+b") as log:
            log.truncate(content.rfind(b"\n") + 1)
