"""The steps of the sync between a commit and an effect; tests crash the program at each."""

from __future__ import annotations

from kernel.failpoints import step

WITHDRAW = step("sync.withdraw", "Approvals that Dataverse no longer backs are withdrawn.")
ELIGIBILITY = step("sync.eligibility", "What changed in the states of mailboxes is written down.")
PAYLOADS = step("sync.payloads", "The new items of a page are stored before the page is committed.")
PAGE = step("sync.page", "A page's links, verdicts, tasks, quarantine and cursor are committed.")
RESET = step("sync.reset", "A lost cursor is dropped and a full round begins.")
EPOCH = step("sync.epoch", "Items that still wait are queued again under a new approval.")
OUTCOME = step("sync.outcome", "The outcome of an intent is written into its link.")
FRESHNESS = step("sync.freshness", "How fresh the streams are is written down in one batch.")
TAKE_OVER = step("sync.take-over", "The tasks of a dead process are queued again.")
PASS_REQUEST = step("sync.pass-request", "Another process is asked for a full pass.")
PASS_ANSWER = step("sync.pass-answer", "A full pass is answered with its counts.")
COMMAND = step("sync.command", "A person pauses, resumes or withdraws a mailbox.")
