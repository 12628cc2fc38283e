"""The policy folder of a running server: read whole, swapped whole, or kept as it was.

A changed folder that does not load, holds nothing enforced, or has another digest than the pinned
one changes nothing; the complaints are kept for `/readyz` and logged once.
"""

from __future__ import annotations

import asyncio
from datetime import datetime
from pathlib import Path

from guard.active_policies import ActivePolicies
from kernel.clock import Clock
from kernel.errors import GuardError, PolicyInvalid, SettingInvalid
from kernel.log import get_logger
from kernel.settings import PREFIX, Settings
from rules.engine.policy_set import PolicySet
from rules.load.loader import load
from rules.syntax.shipped import shipped_folder

log = get_logger("policies")

Fingerprint = tuple[tuple[str, int, int], ...]


class PolicyFolder:
    """The current policy set, and what was wrong with a newer one."""

    def __init__(self, folder: Path, *, environment: str, pinned_digest: str, clock: Clock) -> None:
        self.folder = folder
        self._environment = environment
        self._pinned_digest = pinned_digest
        self._clock = clock
        self._fingerprint = _fingerprint(folder)
        self.refused: list[str] = []
        self.holder = ActivePolicies(self._load())
        self.loaded_at: datetime = clock.now()

    @property
    def current(self) -> PolicySet:
        """The set that decides now."""
        return self.holder.current

    @classmethod
    def of(cls, settings: Settings, clock: Clock) -> PolicyFolder:
        """Load the folder that the settings name.

        Raises SettingInvalid when there is none, PolicyInvalid with every complaint.
        """
        folder = settings.policies_dir
        if folder is not None and not folder.is_dir():
            raise SettingInvalid(
                f"{PREFIX}POLICIES_DIR names {folder}, which is no folder.",
                hint="Give the root of a policy folder; without it the shipped policies hold.",
            )
        return cls(
            folder or shipped_folder(),
            environment=settings.environment,
            pinned_digest=settings.policies_digest.lower(),
            clock=clock,
        )

    async def refresh(self) -> bool:
        """Look whether the folder changed and take the newer set; return whether it was swapped."""
        fingerprint = await asyncio.to_thread(_fingerprint, self.folder)
        if fingerprint == self._fingerprint:
            return False
        self._fingerprint = fingerprint
        return await self.reload()

    async def reload(self) -> bool:
        """Read the folder again and swap the set; return whether it was swapped."""
        try:
            loaded = await asyncio.to_thread(self._load)
        except GuardError as error:
            self.refused = error.message.splitlines()
            log.error("policy_set_refused", folder=str(self.folder), complaints=self.refused)
            return False
        self.refused = []
        if loaded.digest == self.current.digest:
            return False
        log.info("policy_set_swapped", before=self.current.digest, after=loaded.digest)
        self.holder.swap(loaded)
        self.loaded_at = self._clock.now()
        return True

    def _load(self) -> PolicySet:
        loaded = load(self.folder, environment=self._environment or None, now=self._clock.now())
        if loaded.enforced == 0:
            raise PolicyInvalid(
                f"{self.folder} holds no enforced policy: it would be an open door.",
                hint="Give at least one policy `mode: enforce`.",
            )
        if self._pinned_digest and loaded.digest != self._pinned_digest:
            raise PolicyInvalid(
                f"The policy set in {self.folder} has digest {loaded.digest}, "
                f"but {self._pinned_digest} is pinned.",
                hint="Review the change, then set MAILBOX_GUARD_POLICIES_DIGEST to its digest.",
            )
        return loaded


def _fingerprint(folder: Path) -> Fingerprint:
    found: list[tuple[str, int, int]] = []
    for path in sorted(folder.rglob("*.y*ml")):
        try:
            status = path.stat()
        except (OSError, RuntimeError):
            # It is gone again, or a link that leads nowhere; loading tells what is wrong with it.
            continue
        found.append((str(path), status.st_mtime_ns, status.st_size))
    return tuple(found)
