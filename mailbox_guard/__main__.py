"""The command `mailbox-guard`, also `python -m mailbox_guard`: where the packages lie, then in.

The packages import each other by short names (`rules`, `sync`), which an environment may hold of
other projects too. So a wheel keeps them in `mailbox_guard/_packages`, where nobody else finds
them, and this command puts that folder first in its own process. In a checkout they stand in the
repository's root. docs/decisions/0020-what-a-wheel-installs.md says what else was tried.
"""

from __future__ import annotations

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent


def packages_folder() -> Path:
    """Return the folder that holds the packages: inside a wheel's, beside a checkout's."""
    installed = _HERE / "_packages"
    return installed if installed.is_dir() else _HERE.parent


def main() -> int:
    """Run the command of `sys.argv` and return its exit code, as `console.main` says it."""
    # First, because `python -m` puts the current folder there, which may hold a `rules` of its own.
    sys.path.insert(0, str(packages_folder()))
    from console.main import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
