"""A policy folder becomes texts by path; nothing is parsed here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from rules.syntax.complaint import Complaint
from rules.syntax.nodes import MOST_BYTES

_ENDINGS: Final = (".yaml", ".yml")
_TEST_ENDINGS: Final = (".test.yaml", ".test.yml")
MOST_FILES: Final = 20_000


def read_folder(folder: Path, complaints: list[Complaint]) -> dict[str, str]:
    """Return the text of every YAML file under a folder, by its path with forward slashes.

    Hidden folders are left out. A file that is too large or not UTF-8 becomes a complaint.
    """
    if not folder.is_dir():
        complaints.append(
            Complaint(
                str(folder), 1, 1, "folder-unreadable", "There is no such folder.",
                "Name the root of a policy folder.",
            )
        )  # fmt: skip
        return {}
    texts: dict[str, str] = {}
    paths = sorted(_walk(folder))
    if len(paths) > MOST_FILES:
        # Leaving some out would silently leave out policies.
        complaints.append(
            Complaint(
                str(folder), 1, 1, "file-too-large",
                f"The folder has more than {MOST_FILES} YAML files.", "Split it.",
            )
        )  # fmt: skip
        return {}
    for path, name in paths:
        text = _read(path, name, complaints)
        if text is not None:
            texts[name] = text
    return texts


def _walk(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the path of every YAML file, and its name below the folder."""
    # Texts and not Path objects, which cost more than reading a small file.
    root = str(folder)
    for inside, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = inside[len(root) :].replace(os.sep, "/").lstrip("/")
        for name in files:
            if name.endswith(_ENDINGS) and not name.startswith("."):
                yield os.path.join(inside, name), f"{below}/{name}" if below else name


def is_test(path: str) -> bool:
    """Tell whether a path is that of a test file."""
    return path.endswith(_TEST_ENDINGS)


def without_tests(texts: Mapping[str, str]) -> dict[str, str]:
    """Return the files that have a part in decisions."""
    return {path: text for path, text in texts.items() if not is_test(path)}


def _read(path: str, name: str, complaints: list[Complaint]) -> str | None:
    try:
        # One byte more than allowed tells that there is more, however much there is.
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            complaints.append(
                Complaint(
                    name, 1, 1, "file-too-large", "The file is larger than 64 KiB.", "Split it."
                )
            )
            return None
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        complaints.append(
            Complaint(name, 1, 1, "file-unreadable", "The file is not UTF-8.", "Save it as UTF-8.")
        )
    except OSError as error:
        complaints.append(
            Complaint(name, 1, 1, "file-unreadable", f"The file was not read: {error.strerror}.")
        )
    return None
