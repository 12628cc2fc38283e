"""docs/failpoints.md: every place where a test may let the program die."""

from __future__ import annotations

from console.reference.rooms import modules
from console.reference.table import table
from kernel.failpoints import FAILPOINTS

_HEAD = """\
# Failpoints

Every commit and every remote write carries the name of its failpoint, and a test may let the
program die around it: a crash anywhere, followed by a restart, must end in the state of an
undisturbed run.
Outside tests every failpoint is inert.

| moment | reached |
|---|---|
| `<failpoint>:before-commit` | the work of the transaction is done, nothing of it is durable |
| `<failpoint>:after-commit` | it is durable, and nobody has been told |
| `<failpoint>:before-send` | a remote write is about to leave |
| `<failpoint>:after-send` | its answer has come, and nothing has been made of it |

`MAILBOX_GUARD_FAILPOINT=<failpoint>:<moment>` ends a process there with exit code 70, as a power
cut would; `<failpoint>:<moment>*3` does so at the third time.

"""


def failpoints_page() -> str:
    """Return docs/failpoints.md."""
    rows = ((f"`{name}`", doc) for name, doc in sorted(failpoints().items()))
    return _HEAD + table(("failpoint", "what is done there"), rows)


def failpoints() -> dict[str, str]:
    """Return every failpoint of the rooms with its sentence; those of tests are left out."""
    for _ in modules():
        pass
    return {
        name: doc for name, doc in FAILPOINTS.items() if not name.startswith(("test.", "tests."))
    }
