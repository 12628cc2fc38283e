"""Operators: everything that may stand beside `field`, and how a field is read for them."""
