"""The values that every room of the sync speaks in. Pure: no I/O, no clock, no database."""
