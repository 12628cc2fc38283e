"""Microsoft's own audit records, held against what the guard saw and what the sync read."""
