"""Every module of every room, imported, so that what registers itself at import is registered."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

ROOMS = ("kernel", "rules", "cloud", "guard", "sync", "sandbox", "console")


def modules() -> Iterator[ModuleType]:
    """Yield every module but migrations, which run in Alembic, and those that are commands."""
    for room in ROOMS:
        package = importlib.import_module(room)
        yield package
        for found in pkgutil.walk_packages(package.__path__, f"{room}."):
            if ".migrations" not in found.name and not found.name.endswith("__main__"):
                yield importlib.import_module(found.name)


def is_ours(name: str) -> bool:
    """Return whether a module of that name stands in one of the rooms."""
    return name.partition(".")[0] in ROOMS
