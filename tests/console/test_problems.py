"""Whatever goes wrong is told in one shape, and of our own faults nothing but that they are."""

from __future__ import annotations

import json

import pytest

from console.problems import problem, problem_of
from kernel.errors import Bug, Conflict, GuardError, InputRefused, NotFound, Unavailable


@pytest.mark.parametrize("error", [InputRefused, NotFound, Conflict, Unavailable])
def test_an_error_of_ours_names_its_code_the_reason_and_the_mend(error: type[GuardError]) -> None:
    answer = problem_of(error("It is not there.", hint="Look elsewhere.", secret="hush"))
    body = json.loads(answer.body)
    assert body["type"] == f"urn:mailbox-guard:{error.code}"
    assert (body["status"], body["code"]) == (error.http_status, error.code)
    assert (body["detail"], body["hint"]) == ("It is not there.", "Look elsewhere.")
    assert "hush" not in str(answer.body)
    assert ("retry-after" in answer.headers) is error.transient


def test_a_fault_of_ours_keeps_its_text_to_the_log() -> None:
    answer = problem_of(Bug("the row b1 is gone"))
    assert answer.status_code == 500
    assert b"b1" not in answer.body


def test_what_is_no_error_of_ours_is_told_by_its_status() -> None:
    body = json.loads(problem(405, "Method Not Allowed").body)
    assert body == {
        "type": "about:blank",
        "title": "Method Not Allowed",
        "status": 405,
        "detail": "Method Not Allowed",
    }
