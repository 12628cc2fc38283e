"""The verbs by which the ledger is kept, proved and handed on."""
