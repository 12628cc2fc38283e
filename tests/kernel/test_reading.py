"""Why a file could not be read is said in words, not as Python shows an error."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from kernel.reading import why_unreadable


def _error_of(path: Path) -> Exception:
    try:
        tomllib.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        return error
    raise AssertionError("It can be read.")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "No such file or directory"),
        (b"\xff\xfe", "it is not text in UTF-8"),
        (b"a = \n", "Invalid value (at line 1, column 5)"),
    ],
)
def test_the_reason_is_the_systems_the_texts_or_the_parsers(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    file = tmp_path / "some.toml"
    if content is not None:
        file.write_bytes(content)
    assert why_unreadable(_error_of(file)) == why


def test_an_error_that_says_nothing_still_has_a_reason() -> None:
    assert why_unreadable(OSError()) == "the system does not say why"
    assert why_unreadable(ValueError()) == "its form is not known"
