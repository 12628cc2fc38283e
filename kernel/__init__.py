"""The ground: errors, clock, settings, log, database, approvals, tasks, shards, failpoints."""
