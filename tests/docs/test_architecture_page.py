"""The architecture page makes the rest guessable: what it names exists, nothing is left out."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.pages import DOCS, code_words, links, page

ROOT = DOCS.parent
PACKAGES = ("kernel", "rules", "cloud", "guard", "sync", "sandbox", "console")
# Rooms that hold more rooms, or that only one command has, go without a line of their own.
_PATH = re.compile(r"^[a-z_]+/[a-z_/]*(\.py)?$")


def _paths() -> set[str]:
    return {word for word in code_words(page("architecture.md")) if _PATH.match(word)}


def test_every_file_and_folder_that_the_page_names_exists() -> None:
    paths = _paths()
    assert len(paths) > 40
    assert sorted(path for path in paths if not (ROOT / path).exists()) == []


def test_every_room_of_the_language_the_guard_and_the_sync_is_named() -> None:
    rooms = {
        f"{package}/{room.parent.name}/"
        for package in ("rules", "guard", "sync")
        for room in (ROOT / package).glob("*/__init__.py")
    }
    assert sorted(rooms - _paths()) == []
    assert sorted({f"{package}/" for package in PACKAGES} - _paths()) == []


def test_the_index_lists_every_decision_record() -> None:
    listed = [link for link in links(page("architecture.md")) if link.startswith("decisions/")]
    records = sorted(path.name for path in (DOCS / "decisions").glob("*.md"))
    assert listed == [f"decisions/{name}" for name in records]


def test_the_index_gives_each_record_its_own_title() -> None:
    text = page("architecture.md")
    for path in sorted((DOCS / "decisions").glob("*.md")):
        number, _, title = path.read_text("utf-8").splitlines()[0].removeprefix("# ").partition(" ")
        assert f"- [{number}](decisions/{path.name}) {title}" in text


def test_every_page_that_says_how_to_add_a_thing_is_linked() -> None:
    pages = {path.name for path in Path(DOCS).glob("adding-*.md")}
    assert len(pages) == 4
    assert pages <= set(links(page("architecture.md")))
