"""docs/doctor.md tells of every probe, every privilege and every open question."""

from __future__ import annotations

import re

from console.doctor.diagnosis import Severity
from console.doctor.privileges import NEEDED
from console.doctor.table import FIRST, PROBES
from console.doctor.unproved import QUESTIONS
from tests.docs.pages import first_cells, page

TEXT = page("doctor.md")


def test_every_probe_has_a_row_and_a_section() -> None:
    rows = [re.sub(r"\[`(.+)`\].*", r"\1", cell) for cell in first_cells(TEXT, "probe")]
    assert rows == list(PROBES)
    assert [code for code in PROBES if f"\n## {code}\n" not in TEXT] == []


def test_every_severity_privilege_and_open_question_stands_there() -> None:
    for head, codes in (
        ("severity", [one.value for one in Severity]),
        ("privilege", [one.name for one in NEEDED]),
        ("fact", [one.code for one in QUESTIONS]),
    ):
        assert [cell.strip("`") for cell in first_cells(TEXT, head)] == codes


def test_what_the_others_lean_on_is_asked_first() -> None:
    assert set(FIRST) <= PROBES.keys()
    assert all(PROBES[code].needs == frozenset() for code in FIRST)


def test_a_probe_says_what_it_means_and_how_to_mend_it_in_sentences() -> None:
    for one in PROBES.values():
        for text in (one.looks_at, one.means, one.mend):
            assert text.endswith("."), (one.code, text)


def test_an_open_question_is_a_question_with_a_reason_or_a_probe() -> None:
    codes = [one.code for one in QUESTIONS]
    assert len(codes) == len(set(codes))
    for one in QUESTIONS:
        assert one.question.endswith("?"), one.code
        assert one.matters, one.code
