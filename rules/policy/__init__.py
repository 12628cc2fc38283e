"""Policies as values: conditions, rules, exceptions and messages, resolved against the catalogue."""
