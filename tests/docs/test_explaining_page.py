"""The page on explaining and replaying: its commands print what it says, on its own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.main import main
from tests.docs.pages import blocks, page

TEXT = page("explaining.md")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every YAML block of the page, in the file that its first line names."""
    for block in blocks(TEXT, "yaml"):
        path = tmp_path / block.splitlines()[0].removeprefix("# ")
        path.parent.mkdir(exist_ok=True)
        path.write_text(block, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for name in ("POLICIES_DIR", "ENVIRONMENT"):
        monkeypatch.delenv(f"MAILBOX_GUARD_{name}", raising=False)
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("block", blocks(TEXT, "console"), ids=lambda text: text.split("\n")[0])
def test_a_command_prints_what_the_page_says(
    block: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command, _, printed = block.partition("\n")
    main(command.removeprefix("$ mailbox-guard ").split())
    shown = capsys.readouterr().out
    # The digest of the set follows the catalogue, which grows.
    assert _without_set(shown) == _without_set(printed)


def _without_set(text: str) -> str:
    return "\n".join(line.split("  set ")[0] for line in text.rstrip().splitlines())
