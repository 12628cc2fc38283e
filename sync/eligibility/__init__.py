"""Whether an approved mailbox may be synced by us now, as Dataverse says it."""
