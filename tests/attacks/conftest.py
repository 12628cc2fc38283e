"""A guarded organisation that a test may attack."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.crashes.acts import reconciliation
from tests.crashes.guarded_organization import (
    GuardedOrganization,
    database_url,
    open_guarded_organization,
)


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[GuardedOrganization]:
    """The sample tenant, its guard started, every row seen once."""
    async with open_guarded_organization() as opened:
        await opened.start(database_url(tmp_path / "guard.db"))
        assert await reconciliation(opened)
        yield opened
