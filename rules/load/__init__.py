"""A policy folder becomes a policy set, or every complaint about it at once."""
