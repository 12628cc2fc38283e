"""A policy folder becomes texts by path; nothing is parsed here."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from rules.syntax.complaint import Complaint
from rules.syntax.nodes import MOST_BYTES

_ENDINGS: Final = (".yaml", ".yml")
_TEST_ENDINGS: Final = (".test.yaml", ".test.yml")
# What editors and file managers make of these; a dot and letters more is a copy put aside.
_LOOKS_READ: Final = re.compile(r"\.ya?ml(\.txt)?|\.(yam|yalm|ymal|yaml1)", re.IGNORECASE)
# At the start of a line, so that the kind of what a case quotes is not taken for it.
_SAYS_KIND: Final = re.compile(r"""^["']?kind["']?[ ]*:[ ]*["']?(\w+)""", re.MULTILINE)
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
    paths = sorted(_walk(folder, complaints))
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


def _walk(folder: Path, complaints: list[Complaint]) -> Iterator[tuple[str, str]]:
    """Yield the path of every YAML file, and its name below the folder.

    Whatever looks like one and is not read, whole folders included, becomes a complaint: it may be
    the policy that was meant to protect.
    """
    # Texts and not Path objects, which cost more than reading a small file.
    root = str(folder)

    def unreadable(error: OSError) -> None:
        complaints.append(
            Complaint(
                _below(root, str(error.filename)) or root, 1, 1, "folder-unreadable",
                f"The folder was not read: {error.strerror}.", "Let the guard's user read it.",
            )
        )  # fmt: skip

    for inside, folders, files in os.walk(root, onerror=unreadable):
        folders[:] = [name for name in folders if not name.startswith(".")]
        below = _below(root, inside)
        for name in [*folders]:
            if os.path.islink(os.path.join(inside, name)):
                said = "A link to a folder is not followed: what lies there would not be read."
                complaints.append(
                    Complaint(f"{below}/{name}" if below else name, 1, 1, "file-left-out", said,
                              "Put the files themselves here.")
                )  # fmt: skip
        for name in files:
            shown = f"{below}/{name}" if below else name
            if name.startswith("."):
                continue
            if name.endswith(_ENDINGS):
                yield os.path.join(inside, name), shown
            elif _LOOKS_READ.fullmatch(_ending(name)):
                complaints.append(
                    Complaint(
                        shown, 1, 1, "file-left-out",
                        "The file would not be read: the names of policy files end in .yaml, in "
                        "small letters.",
                        f"Call it {_renamed(name)}.",
                    )
                )  # fmt: skip


def _below(root: str, path: str) -> str:
    """Return a path from the root of the folder; nothing for the root itself."""
    return path[len(root) :].replace(os.sep, "/").lstrip("/")


def _ending(name: str) -> str:
    stem = name[: -len(".txt")] if name.lower().endswith(".txt") else name
    return name[len(stem.rpartition(".")[0]) :]


def _renamed(name: str) -> str:
    stem = name[: -len(_ending(name))]
    test = stem.lower().endswith(".test")
    return f"{stem[:-5]}.test.yaml" if test else f"{stem}.yaml"


def is_test(path: str) -> bool:
    """Tell whether a path is that of a test file."""
    return path.endswith(_TEST_ENDINGS)


def without_tests(texts: Mapping[str, str], complaints: list[Complaint]) -> dict[str, str]:
    """Return the files that have a part in decisions.

    A test file that says it is something else becomes a complaint: it would have none.
    """
    for path, text in texts.items():
        said = _SAYS_KIND.search(text) if is_test(path) else None
        if said is not None and said[1] != "Test":
            line = text.count("\n", 0, said.start()) + 1
            complaints.append(
                Complaint(
                    path, line, 1, "file-misplaced",
                    f"The file says {said[1][:40]}, and would be a test by its name.",
                    f"Call it {_untested(path)}.",
                )
            )  # fmt: skip
    return {path: text for path, text in texts.items() if not is_test(path)}


def _untested(path: str) -> str:
    return f"{path.rpartition('/')[2].split('.test.')[0]}.yaml"


def _bytes_of(path: str) -> bytes | None:
    """Return the beginning of a file; None for a pipe, a socket or a device, which may never end.

    One byte more than allowed tells that there is more, however much there is.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        return None
    # It may have become a pipe since: whoever might write into one is not waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        return file.read(MOST_BYTES + 1)


def _read(path: str, name: str, complaints: list[Complaint]) -> str | None:
    try:
        data = _bytes_of(path)
        if data is None:
            complaints.append(
                Complaint(
                    name, 1, 1, "file-irregular",
                    "It is no regular file, so it is left out.",
                    "Remove it, or put a file in its place.", "warning",
                )
            )  # fmt: skip
            return None
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
