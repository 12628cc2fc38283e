"""Every page of the console, in the order of the menu; nothing else knows more than one."""

from __future__ import annotations

from typing import Final

from console.web import decisions, holds, mailboxes, policies, system, today
from console.web.page import ConsolePage

PAGES: Final[tuple[ConsolePage, ...]] = (
    today.PAGE,
    decisions.PAGE,
    holds.PAGE,
    mailboxes.PAGE,
    policies.PAGE,
    system.PAGE,
)
