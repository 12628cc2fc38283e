"""The policy folder of a running server is swapped whole or kept as it was."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from console.policy_folder import PolicyFolder
from kernel.clock import FrozenClock
from kernel.errors import PolicyInvalid
from kernel.settings import Settings
from rules.load.loader import load
from rules.syntax.shipped import shipped_folder


@pytest.fixture(autouse=True)
def quiet_log() -> Iterator[None]:
    """A log that holds on to no stream of another test."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copied = tmp_path / "policies"
    for path in shipped_folder().rglob("*.yaml"):
        copy = copied / path.relative_to(shipped_folder())
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return copied


def held(folder: Path, clock: FrozenClock, *, pinned_digest: str = "") -> PolicyFolder:
    return PolicyFolder(folder, environment="", pinned_digest=pinned_digest, clock=clock)


def own_address_only(folder: Path) -> Path:
    return next(folder.rglob("own-address-only.yaml"))


def edit(folder: Path, before: str, after: str) -> None:
    path = own_address_only(folder)
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after), "utf-8")


async def test_an_unchanged_folder_is_left_alone(folder: Path, clock: FrozenClock) -> None:
    policies = held(folder, clock)
    first = policies.current
    assert await policies.refresh() is False
    assert policies.current is first


async def test_a_changed_folder_is_swapped_whole(folder: Path, clock: FrozenClock) -> None:
    policies = held(folder, clock)
    first, holder = policies.current, policies.holder
    clock.advance(60)
    edit(folder, "mode: enforce", "mode: warn")
    assert await policies.refresh() is True
    assert policies.current.digest != first.digest
    assert policies.loaded_at == clock.now()
    assert policies.holder is holder
    assert await policies.refresh() is False


async def test_a_broken_folder_keeps_the_old_set_and_every_complaint(
    folder: Path, clock: FrozenClock
) -> None:
    policies = held(folder, clock)
    first, loaded_at = policies.current, policies.loaded_at
    clock.advance(60)
    edit(folder, "mode: enforce", "mode: enforced")
    (folder / "broken.yaml").write_text("kind: [Policy\n")
    assert await policies.refresh() is False
    assert policies.current is first
    assert policies.loaded_at == loaded_at
    told = "\n".join(policies.refused)
    assert "own-address-only.yaml:" in told
    assert "broken.yaml:" in told


async def test_a_mended_folder_forgets_its_complaints(folder: Path, clock: FrozenClock) -> None:
    policies = held(folder, clock)
    edit(folder, "mode: enforce", "mode: enforced")
    await policies.refresh()
    edit(folder, "mode: enforced", "mode: enforce")
    assert await policies.refresh() is False
    assert policies.refused == []


async def test_files_of_both_endings_are_watched(folder: Path, clock: FrozenClock) -> None:
    policies = held(folder, clock)
    path = own_address_only(folder)
    text = path.read_text("utf-8")
    path.unlink()
    other = path.with_suffix(".yml")
    other.write_text(text, "utf-8")
    await policies.refresh()
    assert policies.refused == []
    first = policies.current.digest
    other.write_text(text.replace("mode: enforce", "mode: warn"), "utf-8")
    assert await policies.refresh() is True
    assert policies.current.digest != first


async def test_a_folder_that_vanishes_changes_nothing(folder: Path, clock: FrozenClock) -> None:
    policies = held(folder, clock)
    first = policies.current
    shutil.rmtree(folder)
    assert await policies.refresh() is False
    assert policies.current is first
    assert policies.refused


async def test_a_newer_set_than_the_pinned_one_is_refused(folder: Path, clock: FrozenClock) -> None:
    digest = load(folder).digest
    policies = held(folder, clock, pinned_digest=digest)
    edit(folder, "mode: enforce", "mode: warn")
    assert await policies.refresh() is False
    assert policies.current.digest == digest
    assert "is pinned" in policies.refused[0]


def test_a_set_other_than_the_pinned_one_is_not_begun_with(
    folder: Path, clock: FrozenClock
) -> None:
    with pytest.raises(PolicyInvalid, match="is pinned") as refused:
        held(folder, clock, pinned_digest="0" * 64)
    assert "MAILBOX_GUARD_POLICIES_DIGEST" in str(refused.value.hint)


def test_a_folder_in_which_nothing_is_enforced_is_an_open_door(
    folder: Path, clock: FrozenClock
) -> None:
    for path in folder.rglob("*.yaml"):
        path.write_text(path.read_text("utf-8").replace("mode: enforce", "mode: audit"), "utf-8")
    with pytest.raises(PolicyInvalid, match="open door"):
        held(folder, clock)


def test_without_a_setting_the_shipped_policies_are_held(clock: FrozenClock) -> None:
    assert PolicyFolder.of(Settings(), clock).current.digest == load(shipped_folder()).digest
