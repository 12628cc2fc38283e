"""docs/failpoints.md: every step at which a test may let the program die."""

from __future__ import annotations

from console.reference.rooms import modules
from console.reference.table import table
from kernel.failpoints import STEPS

_HEAD = """\
# Failpoints

Every commit and every remote write carries the name of its step, and a test may let the program
die around it: a crash anywhere, followed by a restart, must end in the state of an undisturbed run.
Outside tests every point is inert.

| point | reached |
|---|---|
| `<step>:before-commit` | the work of the transaction is done, nothing of it is durable |
| `<step>:after-commit` | it is durable, and nobody has been told |
| `<step>:before-send` | a remote write is about to leave |
| `<step>:after-send` | its answer has come, and nothing has been made of it |

`MAILBOX_GUARD_FAILPOINT=<step>:<point>` ends a process at that point with exit code 70, as a power
cut would; `<step>:<point>*3` does so at the third time.

"""


def failpoints_page() -> str:
    """Return docs/failpoints.md."""
    rows = ((f"`{name}`", doc) for name, doc in sorted(steps().items()))
    return _HEAD + table(("step", "what it does"), rows)


def steps() -> dict[str, str]:
    """Return every step that a room registers, with its sentence; those of tests are left out."""
    for _ in modules():
        pass
    return {name: doc for name, doc in STEPS.items() if not name.startswith(("test.", "tests."))}
