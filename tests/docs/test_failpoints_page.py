"""docs/failpoints.md lists every step of the kernel with the sentence of its registration."""

from __future__ import annotations

import re
from pathlib import Path

from kernel import failpoints, runner, workers

PAGE = Path(__file__).parents[2] / "docs" / "failpoints.md"


def test_every_step_of_the_kernel_is_listed_with_its_sentence() -> None:
    listed = dict(re.findall(r"^\| `([a-z.]+)` \| (.+) \|$", PAGE.read_text("utf-8"), re.MULTILINE))
    steps = [workers.CLAIM, workers.FINISH, runner.CLAIM_SHARDS, runner.HEARTBEAT, runner.RELEASE]
    assert {name: failpoints.STEPS[name] for name in steps}.items() <= listed.items()


def test_every_point_is_explained() -> None:
    text = PAGE.read_text("utf-8")
    for point in failpoints.COMMIT_POINTS + failpoints.SEND_POINTS:
        assert f"`<step>:{point}`" in text
