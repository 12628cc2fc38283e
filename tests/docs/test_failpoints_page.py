"""docs/failpoints.md lists every step of every room with the sentence of its registration."""

from __future__ import annotations

import re

from console.reference.failpoints import steps
from kernel import failpoints
from tests.docs.pages import page

TEXT = page("failpoints.md")
SENTENCE = re.compile(r"[A-Z][^.]*\.")


def test_every_step_is_listed_with_its_sentence() -> None:
    listed = dict(re.findall(r"^\| `([a-z.-]+)` \| (.+) \|$", TEXT, re.MULTILINE))
    assert listed == steps()
    assert {name.split(".")[0] for name in listed} >= {"work", "runner", "guard", "sync"}


def test_a_step_is_told_in_one_sentence() -> None:
    assert [doc for doc in steps().values() if not SENTENCE.fullmatch(doc)] == []


def test_every_point_is_explained() -> None:
    for point in failpoints.COMMIT_POINTS + failpoints.SEND_POINTS:
        assert f"`<step>:{point}`" in TEXT
