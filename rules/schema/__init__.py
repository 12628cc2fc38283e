"""JSON Schemas of the policy files, and the pass that checks files by them."""
