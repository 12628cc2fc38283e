"""The bar is for people who look, and for nobody else."""

from __future__ import annotations

import io
import sys

import pytest

from console.progress import progress


class Screen(io.StringIO):
    """A stderr that somebody looks at."""

    def isatty(self) -> bool:
        return True


def test_a_bar_shows_how_much_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    with progress("mutants") as advance:
        advance(3, 12)
    assert "mutants" in screen.getvalue()
    assert "3/12" in screen.getvalue()


def test_into_a_file_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("mutants") as advance:
        advance(3, 12)
    assert capsys.readouterr() == ("", "")
