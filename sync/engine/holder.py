"""The name under which a process holds shards, and whether such a process is surely dead.

A lease ends by itself, but only after half a minute. On the same machine the next process need not
wait so long: the name says which process it was.
"""

from __future__ import annotations

import os
import socket
import uuid
from pathlib import Path

LOOP, ONCE = "loop", "once"
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")


def new_holder(kind: str = ONCE) -> str:
    """Return a name for this process that tells people its kind; two calls give two names."""
    return f"{_machine()}/{os.getpid()}/{uuid.uuid4().hex[:8]}/{kind}"


def is_surely_dead(holder: str) -> bool:
    """Return whether the process with that name ran on this machine and has ended.

    False also means "cannot be known": another machine, another container, a number used again.
    """
    machine, _, rest = holder.partition("/")
    number = rest.partition("/")[0]
    if machine != _machine() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False


def _machine() -> str:
    """Return what tells this machine, its start and its process numbers from all others."""
    try:
        boot = _BOOT.read_text().strip()[:13]
        space = os.readlink(_NAMESPACE).strip("pid:[]")
    except OSError:
        return f"{socket.gethostname()}~"
    return f"{socket.gethostname()}~{boot}~{space}"
