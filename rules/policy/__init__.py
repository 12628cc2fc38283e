"""Policies as values: conditions, rules, exceptions, messages; resolved against the catalogue."""
