"""An interrupted scan goes on where it was."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from console.scan_log import read_log, write_log
from guard.ports.rows import StoredRow
from guard.watch.scan import ScannedRow
from kernel.clock import FrozenClock
from kernel.errors import InputRefused
from rules.engine.row import Judgement

JUDGED = Judgement("hold", ("vip/held",), ("approver/qualified",), ("vip/held",), ())
RECORD = "11111111-1111-4111-8111-111111111111"


def a_row(fingerprint: str) -> ScannedRow:
    row = StoredRow("mailbox", RECORD, "1", {"emailaddress": "ceo@contoso.com"})
    return ScannedRow(row, "ceo@contoso.com", JUDGED, fingerprint)


def test_what_was_judged_is_known_to_the_next_run(tmp_path: Path, clock: FrozenClock) -> None:
    file = tmp_path / "scan.log"
    assert read_log(file, now=clock.now()) == {}
    with write_log(file, {}, clock.now) as note:
        note(a_row("a"))
        note(a_row("b"))
    assert read_log(file, now=clock.now()) == {"a": JUDGED, "b": JUDGED}


def test_what_erred_is_asked_again(tmp_path: Path, clock: FrozenClock) -> None:
    file = tmp_path / "scan.log"
    with write_log(file, {}, clock.now) as note:
        note(replace(a_row("a"), judgement=replace(JUDGED, result="error")))
    assert read_log(file, now=clock.now()) == {}


def test_what_is_known_is_not_written_again(tmp_path: Path, clock: FrozenClock) -> None:
    file = tmp_path / "scan.log"
    with write_log(file, {"a": JUDGED}, clock.now) as note:
        note(a_row("a"))
    assert file.read_text() == ""


def test_a_line_that_was_cut_off_is_judged_again(tmp_path: Path, clock: FrozenClock) -> None:
    file = tmp_path / "scan.log"
    with write_log(file, {}, clock.now) as note:
        note(a_row("a"))
        note(a_row("b"))
    file.write_bytes(file.read_bytes()[:-20])
    known = read_log(file, now=clock.now())
    assert set(known) == {"a"}
    with write_log(file, known, clock.now) as note:
        note(a_row("b"))
    assert set(read_log(file, now=clock.now())) == {"a", "b"}


def test_a_judgement_grows_old(tmp_path: Path, clock: FrozenClock) -> None:
    file = tmp_path / "scan.log"
    with write_log(file, {}, clock.now) as note:
        note(a_row("a"))
    assert read_log(file, now=clock.now() + timedelta(days=2)) == {}


def test_a_file_that_is_no_scan_log_is_refused_by_line(tmp_path: Path, clock: FrozenClock) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("milk\nbread\n")
    with pytest.raises(InputRefused, match=r"notes\.txt:1 is not a line of a scan log"):
        read_log(file, now=clock.now())
