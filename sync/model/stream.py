"""Streams: one delta chain each, of one folder, for one workload, in one Exchange mailbox."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Stream:
    """One delta chain and its bookmark.

    `cursor` is the link that the last round ended with, `page_cursor` the next page of a round
    under way. `round` rises with each full round, and `is_full` holds while one is under way;
    `epoch` is the approval's under which the stream last ran. `brake` says why it waits for a
    person. `folder_id` is the folder's own id, once an entry has told it.
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
    cursor_at: datetime | None
    fresh_as_of: datetime | None


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
        cursor_at=None,
        fresh_as_of=None,
    )
