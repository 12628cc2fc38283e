"""The steps of mail: its writes to Dataverse; tests crash the program before and after each."""

from __future__ import annotations

from kernel.failpoints import step

ROW = step("sync.mail.row", "An email row is created in Dataverse.")
ATTACHMENT = step("sync.mail.attachment", "An attachment is created in Dataverse.")
COMPLETION = step("sync.mail.completion", "An email row is completed as Received.")
