"""The verbs of `mailbox-guard decisions` by which the ledger is kept, proved and handed on."""
