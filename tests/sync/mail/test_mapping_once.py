"""What takes too long to be mapped is waited for by the next try, and not begun beside it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from sync.engine.workload import ItemToWrite
from sync.mail.emails.memory import MemoryEmailRows
from sync.mail.exchange.memory import MemoryExchange
from sync.mail.workload import MailWorkload
from sync.model.address_book import KnownRow
from sync.model.link import Link
from tests.sync.builders import ANNA_OBJECT, ORGANIZATION, a_message


class SlowBook(Mapping[str, KnownRow]):
    """An address book that takes as long as a test wants; `asked` counts who is at it."""

    def __init__(self) -> None:
        self.may_go_on = threading.Event()
        self.asked = 0

    def __getitem__(self, address: str) -> KnownRow:
        self.asked += 1
        self.may_go_on.wait(30)
        raise KeyError(address)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


async def permitted() -> None:
    pass


async def test_a_second_try_waits_for_the_first_ones_thread() -> None:
    rows, book = MemoryEmailRows(), SlowBook()
    mail = MailWorkload(MemoryExchange(), rows, ORGANIZATION)
    message: dict[str, Any] = a_message(toRecipients=[]) | {"hasAnyAttachment": False}
    item = ItemToWrite(
        ANNA_OBJECT,
        Link(message["id"]),
        message,
        address_book=book,
        permit=permitted,
        check=permitted,
        note_read=lambda *_: None,
    )
    for _ in range(3):
        try:
            async with asyncio.timeout(0.2):
                await mail.write(item)
        except TimeoutError:
            pass
    assert book.asked == 1

    book.may_go_on.set()
    assert (await mail.write(item)).is_new
    assert book.asked == 1
    assert len(rows.rows) == 1
