"""What the tests over real processes may use: a process group, a cloud, a policy folder."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import pytest

from rules.syntax.shipped import shipped_folder
from tests.end_to_end.processes import Processes, processes
from tests.end_to_end.tenant_cloud import TenantCloud, tenant_cloud
from tests.webhook_examples.examples import tenant
from tests.webhook_examples.world import GUARD_USER


@pytest.fixture
def group(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Processes]:
    """Processes of this test over an empty data directory; the key is that of the examples."""
    if "cloud" in request.fixturenames:
        # The processes end first: they hold connections to the cloud.
        request.getfixturevalue("cloud")
    with processes(tmp_path / "processes", webhook_keys=tenant()["webhook_key"]) as started:
        yield started


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[TenantCloud]:
    """The tenant of the examples over HTTPS, for this test alone."""
    held = copy.deepcopy(tenant())
    with tenant_cloud(held, tmp_path / "cloud", guard_user=GUARD_USER) as served:
        yield served


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A copy of the shipped policies that a test may spoil."""
    folder = tmp_path / "policies"
    for path in shipped_folder().rglob("*.yaml"):
        copied = folder / path.relative_to(shipped_folder())
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(path.read_bytes())
    return folder
