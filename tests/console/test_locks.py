"""Only one process has a role on a database file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from console.locks import AlreadyRunning, exclusive


def test_a_second_holder_is_refused_with_the_first_ones_process_id(tmp_path: Path) -> None:
    file = tmp_path / "guard.db"
    with (
        exclusive(file, "serve"),
        pytest.raises(AlreadyRunning, match=f"Process {os.getpid()} already serves"),
        exclusive(file, "serve"),
    ):
        pass


def test_a_role_is_free_again_when_its_holder_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "guard.db"
    with exclusive(file, "serve"):
        pass
    with exclusive(file, "serve"):
        pass


def test_roles_do_not_hinder_each_other(tmp_path: Path) -> None:
    file = tmp_path / "guard.db"
    with exclusive(file, "serve"), exclusive(file, "loop"):
        pass


def test_on_a_server_nothing_is_locked() -> None:
    with exclusive(None, "serve"), exclusive(None, "serve"):
        pass
