"""Results are written whole, and told when they can't be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from console.output import Output, emit, write_whole
from kernel.errors import InputRefused


def test_a_file_is_replaced_and_keeps_who_may_read_it(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text("old")
    file.chmod(0o640)
    reader = file.open()
    write_whole(file, "new")
    assert (file.read_text(), reader.read()) == ("new", "old")
    assert file.stat().st_mode & 0o777 == 0o640
    assert os.listdir(tmp_path) == ["report.json"]
    reader.close()


def test_what_a_link_names_is_replaced_and_not_the_link(tmp_path: Path) -> None:
    file, link = tmp_path / "report.json", tmp_path / "latest.json"
    file.write_text("old")
    link.symlink_to(file)
    write_whole(link, "new")
    assert (link.is_symlink(), file.read_text()) == (True, "new")


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    read, write = os.pipe()
    write_whole(Path(f"/dev/fd/{write}"), "through")
    os.close(write)
    with os.fdopen(read) as file:
        assert file.read() == "through"


def test_text_does_not_steer_the_terminal_and_json_keeps_what_was_said(
    capsys: pytest.CaptureFixture[str],
) -> None:
    said = "a\tb\n\x1b[2J\x9b \u202egpj.exe ä\u3000😀"
    emit([Output("text"), Output("json")], [said], text=lambda: said)
    out = capsys.readouterr().out
    assert out.startswith("a\tb\n\ufffd[2J\ufffd \ufffdgpj.exe ä\u3000😀\n")
    assert json.loads(out.partition("😀\n")[2]) == [said]


@pytest.mark.parametrize("where", ["nowhere/report.json", "."])
def test_what_can_not_be_written_is_named(tmp_path: Path, where: str) -> None:
    with pytest.raises(InputRefused, match="was not written: "):
        emit([Output("json", tmp_path / where)], {}, text=str)
    assert os.listdir(tmp_path) == []
