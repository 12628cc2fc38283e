"""The ground: errors, clock, settings, log, database, approvals, work, runner, failpoints."""
