"""What policy authors call: one module a verb of `mailbox-guard policy`."""
