"""The append-only record of decisions, and the last known good copies that they leave behind."""
