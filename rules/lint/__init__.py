"""Lint: what loads and works, and is still likely to be a mistake or a burden.

Each rule is one class with its code, its reasons and an example that a test executes; the table in
`rules.lint.table` is the one list of them.
"""
