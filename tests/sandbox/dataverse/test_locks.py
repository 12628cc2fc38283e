"""Writers of one row wait for each other, and not for ever."""

from __future__ import annotations

import asyncio

import pytest

from sandbox.dataverse.faults import Fault
from sandbox.dataverse.locks import Locks


async def test_a_second_writer_waits_for_the_first() -> None:
    locks = Locks(timeout_seconds=5)
    first: set[object] = set()
    second: set[object] = set()
    await locks.take("row", held=first)
    waiting = asyncio.create_task(locks.take("row", held=second))
    await asyncio.sleep(0)
    assert not waiting.done()
    locks.release(first)
    await waiting
    assert second == {"row"}


async def test_the_same_transaction_does_not_wait_for_itself() -> None:
    locks = Locks(timeout_seconds=5)
    held: set[object] = set()
    await locks.take("row", held=held)
    await locks.take("row", held=held)
    locks.release(held)


async def test_a_wait_ends_with_an_error() -> None:
    locks = Locks(timeout_seconds=0.01)
    await locks.take("row", held=set())
    with pytest.raises(Fault, match="timeout"):
        await locks.take("row", held=set())
