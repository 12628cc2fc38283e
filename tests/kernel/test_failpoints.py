"""Failpoints: inert by default, written down by a trace, deadly where a test says so."""

from __future__ import annotations

import subprocess
import sys

import pytest

from kernel.errors import Bug, SettingInvalid
from kernel.failpoints import (
    CRASH_EXIT_CODE,
    FAILPOINTS,
    NONE,
    Crash,
    CrashAt,
    Recorder,
    failpoint,
    failpoints_from,
)

STEP = failpoint("tests.point", "A step of the failpoints' tests.")


def test_a_registered_step_is_known_by_name_and_doc() -> None:
    assert FAILPOINTS[STEP] == "A step of the failpoints' tests."
    assert failpoint(STEP, FAILPOINTS[STEP]) == STEP


def test_two_steps_of_one_name_are_refused() -> None:
    with pytest.raises(Bug, match=r"tests\.point"):
        failpoint(STEP, "Another step.")


def test_in_production_a_point_does_nothing() -> None:
    NONE.reach(STEP, "before-commit")


def test_a_trace_writes_points_down_in_order() -> None:
    trace = Recorder()
    trace.reach(STEP, "before-commit")
    trace.reach(STEP, "after-commit")
    assert trace.reached == [f"{STEP}:before-commit", f"{STEP}:after-commit"]


def test_it_crashes_at_the_named_occurrence_and_everywhere_after() -> None:
    points = CrashAt(f"{STEP}:before-commit", occurrence=2)
    points.reach(STEP, "before-commit")
    points.reach(STEP, "after-commit")
    assert not points.crashed
    with pytest.raises(Crash):
        points.reach(STEP, "before-commit")
    assert points.crashed
    with pytest.raises(Crash):
        points.reach("another.step", "before-send")


def test_a_crash_is_not_caught_by_those_who_catch_exceptions() -> None:
    assert not issubclass(Crash, Exception)


@pytest.mark.parametrize("setting", [None, ""])
def test_without_the_setting_points_are_inert(setting: str | None) -> None:
    assert failpoints_from(setting) is NONE


def test_a_process_ends_at_once_at_the_point_of_the_setting() -> None:
    program = (
        "from kernel.failpoints import failpoints_from\n"
        "points = failpoints_from('tests.point:after-send*2')\n"
        "points.reach('tests.point', 'after-send')\n"
        "print('once', flush=True)\n"
        "try:\n    points.reach('tests.point', 'after-send')\nfinally:\n    print('never')\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (CRASH_EXIT_CODE, "once\n")


@pytest.mark.parametrize(
    "setting", ["guard.decision", "guard.decision:midway", "a.b:after-send*x", "a.b:after-send*0"]
)
def test_a_setting_that_names_no_point_is_refused_with_the_mend(setting: str) -> None:
    with pytest.raises(SettingInvalid, match="MAILBOX_GUARD_FAILPOINT") as caught:
        failpoints_from(setting)
    assert caught.value.hint is not None
    assert "before-commit" in caught.value.hint
