"""Every page of the console, in the order of the menu; nothing else knows more than one."""

from __future__ import annotations

from typing import Final

from console.web import holds, mailboxes, system, today
from console.web.page import ConsolePage

PAGES: Final[tuple[ConsolePage, ...]] = (
    today.PAGE,
    holds.PAGE,
    mailboxes.PAGE,
    system.PAGE,
)
