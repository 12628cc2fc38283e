"""docs/failpoints.md lists every failpoint of every room with the sentence of its registration."""

from __future__ import annotations

import re

from console.reference.failpoints import failpoints
from kernel.failpoints import COMMIT_MOMENTS, SEND_MOMENTS
from tests.docs.pages import page

TEXT = page("failpoints.md")
SENTENCE = re.compile(r"[A-Z][^.]*\.")


def test_every_failpoint_is_listed_with_its_sentence() -> None:
    listed = dict(re.findall(r"^\| `([a-z.-]+)` \| (.+) \|$", TEXT, re.MULTILINE))
    assert listed == failpoints()
    assert {name.split(".")[0] for name in listed} >= {"tasks", "shards", "guard", "sync"}


def test_a_failpoint_is_told_in_one_sentence() -> None:
    assert [doc for doc in failpoints().values() if not SENTENCE.fullmatch(doc)] == []


def test_every_moment_is_explained() -> None:
    for moment in COMMIT_MOMENTS + SEND_MOMENTS:
        assert f"`<failpoint>:{moment}`" in TEXT
