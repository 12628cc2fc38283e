"""The failpoints of the sync; tests crash the program at each."""

from __future__ import annotations

from kernel.failpoints import failpoint

WITHDRAW = failpoint("sync.withdraw", "Approvals that Dataverse no longer backs are withdrawn.")
ELIGIBILITY = failpoint(
    "sync.eligibility", "What changed in the states of mailboxes is written down."
)
PAYLOADS = failpoint(
    "sync.payloads", "The new items of a page are stored before the page is committed."
)
PAGE = failpoint(
    "sync.page", "A page's links, verdicts, tasks, quarantine and cursor are committed."
)
RESET = failpoint("sync.reset", "A lost cursor is dropped and a full round begins.")
EPOCH = failpoint("sync.epoch", "Items that still wait are queued again under a new approval.")
OUTCOME = failpoint("sync.outcome", "The outcome of an intent is written into its link.")
FRESHNESS = failpoint("sync.freshness", "How fresh the streams are is written down in one batch.")
TAKE_OVER = failpoint("sync.take-over", "The tasks of a dead process are queued again.")
PASS_REQUEST = failpoint("sync.pass-request", "Another process is asked for a full pass.")
PASS_ANSWER = failpoint("sync.pass-answer", "A full pass is answered with its counts.")
COMMAND = failpoint("sync.command", "A person pauses, resumes or withdraws a mailbox.")
