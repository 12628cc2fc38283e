"""Failpoints: named places around a commit or a remote write, where a test may crash the program.

Every commit and every remote write carries the name of its failpoint; `Database.write` and the
transport reach its moments, before and after. Outside tests every failpoint is inert.
docs/failpoints.md lists them all, and a test fails for one that is missing there.

    failpoint   the name of one commit or remote write, `room.thing`
    moment      before or after it: `before-commit`, `after-commit`, `before-send`, `after-send`
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter

from kernel.errors import Bug, SettingInvalid

FAILPOINTS: dict[str, str] = {}
COMMIT_MOMENTS = ("before-commit", "after-commit")
SEND_MOMENTS = ("before-send", "after-send")
CRASH_EXIT_CODE = 70


class Crash(BaseException):
    """The program died here, as far as a test is concerned; nothing may catch it and go on."""


def failpoint(name: str, doc: str) -> str:
    """Register a failpoint and return its name; `name` is `room.thing`, `doc` one sentence.

    Raises Bug when another failpoint has the name.
    """
    if FAILPOINTS.get(name, doc) != doc:
        raise Bug(f"Two failpoints are named `{name}`.")
    FAILPOINTS[name] = doc
    return name


class Failpoints:
    """Failpoints that do nothing: what every production process has."""

    def reach(self, failpoint: str, moment: str) -> None:
        """Pass that moment of the failpoint."""


NONE = Failpoints()


class Recorder(Failpoints):
    """Failpoints that are only written down, in order; a test learns from it where to crash."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    def reach(self, failpoint: str, moment: str) -> None:
        """Write the moment down."""
        self.reached.append(f"{failpoint}:{moment}")


class CrashAt(Failpoints):
    """Crash when a moment, written `failpoint:moment`, is reached for the n-th time.

    `exit_process` ends the process at once, as a power cut would; else `Crash` is raised.
    """

    def __init__(self, at: str, *, occurrence: int = 1, exit_process: bool = False) -> None:
        self._at = at
        self._occurrence = occurrence
        self._exit_process = exit_process
        self._seen: Counter[str] = Counter()
        # The writer thread and the event loop reach failpoints at the same time.
        self._lock = threading.Lock()
        self.crashed = False

    def reach(self, failpoint: str, moment: str) -> None:
        """Crash here if this is the place; once crashed, every moment crashes."""
        name = f"{failpoint}:{moment}"
        with self._lock:
            self._seen[name] += 1
            if name == self._at and self._seen[name] == self._occurrence:
                self.crashed = True
        if self.crashed:
            if self._exit_process:
                os._exit(CRASH_EXIT_CODE)
            raise Crash(name)


def failpoints_from(setting: str | None) -> Failpoints:
    """Return the failpoints of the test setting: `room.thing:moment`, with `*n` for the n-th time.

    Raises SettingInvalid when the setting has another form.
    """
    if not setting:
        return NONE
    match = _SETTING.fullmatch(setting)
    if match is None:
        raise SettingInvalid(
            "MAILBOX_GUARD_FAILPOINT is not the name of a failpoint.",
            hint="Write `room.thing:before-commit`, or `room.thing:before-commit*3` for the third.",
        )
    return CrashAt(match[1], occurrence=int(match[2] or 1), exit_process=True)


_SETTING = re.compile(
    rf"([a-z0-9_.-]+:(?:{'|'.join(COMMIT_MOMENTS + SEND_MOMENTS)}))(?:\*([1-9][0-9]{{0,5}}))?"
)
