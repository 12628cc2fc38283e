"""The ground: values, errors, clock, settings, log, database, approvals, work, runner, failpoints."""
