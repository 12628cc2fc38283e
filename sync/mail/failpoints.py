"""The failpoints of mail: its writes to Dataverse; tests crash the program at each."""

from __future__ import annotations

from kernel.failpoints import failpoint

ROW = failpoint("sync.mail.row", "An email row is created in Dataverse.")
ATTACHMENT = failpoint("sync.mail.attachment", "An attachment is created in Dataverse.")
REOPENING = failpoint(
    "sync.mail.reopening", "An email row is opened again for an attachment that was missing."
)
COMPLETION = failpoint("sync.mail.completion", "An email row is completed as Received.")
