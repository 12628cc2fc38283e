"""Streams: one delta chain each, of one folder, for one workload, in one Exchange mailbox."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from kernel.brake import Braked


@dataclass(frozen=True, slots=True)
class Stream:
    """One delta chain and its bookmark.

    `cursor` is the link that the last round ended with, `page_cursor` the next page of a round
    under way. `round` rises with each full round, and `is_full` holds while one is under way;
    `epoch` is the approval's under which the stream last ran. `brake` is the name of the brake that
    is pulled, with the numbers that pulled it. `folder_id` is the folder's own id, once an entry
    has told it. `link_failures` is how many visits in a row ended at the stored link.
    """

    stream_id: str
    record_id: str
    object_id: str
    workload: str
    folder: str
    folder_id: str | None
    cursor: str | None
    page_cursor: str | None
    round: int
    is_full: bool
    epoch: int
    brake: str | None
    brake_count: int | None
    brake_total: int | None
    cursor_at: datetime | None
    fresh_as_of: datetime | None
    link_failures: int = 0

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """Which folder of whose mailbox it is, for which workload; its id says the same."""
        return (self.record_id, self.object_id, self.workload, self.folder)

    @property
    def braked(self) -> Braked | None:
        """The brake that stops the removals of this stream, if one does."""
        if self.brake is None:
            return None
        return Braked(self.brake, self.brake_count or 0, self.brake_total or 0)

    def anew(self) -> Stream:
        """Return the stream at the beginning of a new full round."""
        return replace(
            self,
            cursor=None,
            page_cursor=None,
            round=self.round + 1,
            is_full=True,
            link_failures=0,
        )

    def braked_by(self, braked: Braked | None) -> Stream:
        """Return the stream with that brake, or without any."""
        if braked is None:
            return replace(self, brake=None, brake_count=None, brake_total=None)
        return replace(self, brake=braked.name, brake_count=braked.count, brake_total=braked.total)


def brake_reason(braked: Braked, *, noun: str) -> str:
    """Return what a pulled brake of a stream tells people; `noun` is its workload's."""
    return f"A full round listed {braked.total - braked.count} of {braked.total} known {noun}s."


def new_stream(record_id: str, object_id: str, *, workload: str, folder: str) -> Stream:
    """Return a stream that was never read: its first round is a full one."""
    return Stream(
        stream_id=f"{record_id}/{object_id}/{workload}/{folder}",
        record_id=record_id,
        object_id=object_id,
        workload=workload,
        folder=folder,
        folder_id=None,
        cursor=None,
        page_cursor=None,
        round=1,
        is_full=True,
        epoch=0,
        brake=None,
        brake_count=None,
        brake_total=None,
        cursor_at=None,
        fresh_as_of=None,
    )
