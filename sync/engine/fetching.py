"""Asking for the pages of a stream, whatever is wrong with one of them.

A page that is too large, or that the source stumbles over, is asked for in smaller pieces. Where
not even one entry at a time can be had, a round of ids alone is begun: each item is then read by
itself, and the culprit is set aside by name. A page that comes again and again ends the visit.
"""

from __future__ import annotations

from typing import Any

from cloud.classify import MAILBOX_FULL_CODE
from cloud.errors import BadAnswer, CloudError, Refused, Throttled, Unknown, Unreachable
from sync.engine.lasting import FORBIDDEN, stumbles
from sync.engine.workload import Page, Permit, Workload
from sync.errors import PageLoop
from sync.model.stream import Stream

SMALLER = (10, 1)
# After so many entries in small pages the culprit is passed.
ENTRIES_IN_SMALL_PAGES = 50
# A full page may repeat some of another's entries, and a round may hold empty pages; so many are
# no accident.
MOST_REPEATED_PAGES = 5
MOST_EMPTY_PAGES = 100


class Fetching:
    """The pages of one stream within one visit."""

    def __init__(self, workload: Workload[Any], permit: Permit) -> None:
        self._workload = workload
        self._permit = permit
        self._step = 0
        self._small_entries = 0
        self._asked: set[str | None] = set()
        self._seen: set[int] = set()
        self._repeated = self._empty = 0

    async def page(self, stream: Stream, link: str | None) -> Page:
        """Return the page at a link, however small it has to be.

        Raises what the workload raises where no size helps.
        """
        sizes = (None, *SMALLER)
        while True:
            size = sizes[self._step]
            try:
                page = await self._workload.page(
                    stream, link=link, permit=self._permit, at_most=size
                )
            except CloudError as error:
                if not may_be_of_an_entry(error) or self._step + 1 == len(sizes):
                    raise
                self._step += 1
                self._small_entries = 0
                continue
            if size is not None:
                self._small_entries += len(page.entries)
                if self._small_entries >= ENTRIES_IN_SMALL_PAGES:
                    self._step = 0
            self._asked.add(link)
            return page

    async def first_of_ids(self, stream: Stream) -> Page:
        """Return the first page of a round of ids alone."""
        self._step = 0
        return await self._workload.page(stream, link=None, permit=self._permit, ids_only=True)

    def look_for_loop(self, stream: Stream, page: Page) -> None:
        """Raise PageLoop when a round goes on to where it was, or brings nothing but what it did.

        Source: reports of rounds whose next link named the same page, and of others whose links
        changed while the page did not.
        """
        if page.next_link is None:
            return
        if page.entries:
            # Only its ids tell whether a page is the same: an entry may be told with more or less.
            ids = hash(tuple(self._workload.item(entry).item_id for entry in page.entries))
            self._repeated = self._repeated + 1 if ids in self._seen else 0
            self._seen.add(ids)
            self._empty = 0
        else:
            self._empty += 1
        if (
            page.next_link in self._asked
            or self._repeated >= MOST_REPEATED_PAGES
            or self._empty >= MOST_EMPTY_PAGES
        ):
            raise PageLoop(
                f"The round of {stream.folder} leads back to a page that it had already; "
                "the next visit begins a new round.",
                hint="The service mends this; if it stays, report it to Microsoft with this time.",
            )


def may_be_of_an_entry(error: CloudError) -> bool:
    """Return whether one entry of a page may be the reason that the page cannot be had."""
    return isinstance(error, BadAnswer) or stumbles(error)


def may_be_of_the_link(error: CloudError) -> bool:
    """Return whether a link may be the reason that the service does not answer with a page.

    Not what passes by itself, and not who asks.
    """
    if isinstance(error, Throttled | Unknown):
        return False
    if isinstance(error, Unreachable):
        return error.status is not None
    if isinstance(error, Refused):
        # Each round that is begun takes more room of a mailbox that is full.
        is_full = error.service_code.lower() == MAILBOX_FULL_CODE
        return error.status == FORBIDDEN and not is_full
    return not error.transient and error.status is not None
