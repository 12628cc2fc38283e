"""Named steps between a commit and an effect, where a test may crash the program.

Every commit and every remote write carries the name of its step; `Database.write` and the transport
reach the points around it. Outside tests every point is inert. docs/failpoints.md lists the steps,
and a test fails for one that is missing there.
"""

from __future__ import annotations

import os
import re
import threading
from collections import Counter

from kernel.errors import Bug, SettingInvalid

STEPS: dict[str, str] = {}
COMMIT_POINTS = ("before-commit", "after-commit")
SEND_POINTS = ("before-send", "after-send")
CRASH_EXIT_CODE = 70


class Crash(BaseException):
    """The program died here, as far as a test is concerned; nothing may catch it and go on."""


def step(name: str, doc: str) -> str:
    """Register a step and return its name; `name` is `room.thing`, `doc` one sentence.

    Raises Bug when another step has the name.
    """
    if STEPS.get(name, doc) != doc:
        raise Bug(f"Two steps are named `{name}`.")
    STEPS[name] = doc
    return name


class Failpoints:
    """Points that do nothing: what every production process has."""

    def reach(self, step_name: str, point: str) -> None:
        """Pass the point."""


NONE = Failpoints()


class Trace(Failpoints):
    """Points that are only written down, in order; a test learns from it where to crash."""

    def __init__(self) -> None:
        self.reached: list[str] = []

    def reach(self, step_name: str, point: str) -> None:
        """Write the point down."""
        self.reached.append(f"{step_name}:{point}")


class CrashAt(Failpoints):
    """Crash when a point is reached for the n-th time.

    `exit_process` ends the process at once, as a power cut would; else `Crash` is raised.
    """

    def __init__(self, point: str, *, occurrence: int = 1, exit_process: bool = False) -> None:
        self._point = point
        self._occurrence = occurrence
        self._exit_process = exit_process
        self._seen: Counter[str] = Counter()
        # The writer thread and the event loop reach points at the same time.
        self._lock = threading.Lock()
        self.crashed = False

    def reach(self, step_name: str, point: str) -> None:
        """Crash here if this is the place; once crashed, every point crashes."""
        name = f"{step_name}:{point}"
        with self._lock:
            self._seen[name] += 1
            if name == self._point and self._seen[name] == self._occurrence:
                self.crashed = True
        if self.crashed:
            if self._exit_process:
                os._exit(CRASH_EXIT_CODE)
            raise Crash(name)


def failpoints_from(setting: str | None) -> Failpoints:
    """Return the failpoints of the test setting: `room.thing:point`, `room.thing:point*n`, or none.

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
    rf"([a-z0-9_.-]+:(?:{'|'.join(COMMIT_POINTS + SEND_POINTS)}))(?:\*([1-9][0-9]{{0,5}}))?"
)
