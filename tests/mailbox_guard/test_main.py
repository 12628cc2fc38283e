"""The command of a checkout finds the packages in the repository's root."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from mailbox_guard.__main__ import main, packages_folder

ROOT = Path(__file__).parents[2]


def test_in_a_checkout_the_packages_stand_in_its_root() -> None:
    assert packages_folder() == ROOT


def test_the_packages_come_first_and_the_exit_code_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", ["/nowhere", *sys.path])
    monkeypatch.setattr(sys, "argv", ["mailbox-guard", "polcy"])
    assert main() == 2
    assert sys.path[0] == str(ROOT)
    assert "policy" in capsys.readouterr().err
