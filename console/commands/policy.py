"""`mailbox-guard policy`: what policy authors call, without any server."""

from __future__ import annotations

import click

from console.lazy import LazyGroup

VERBS: dict[str, tuple[str, str, str]] = {
    "validate": (
        "console.policy.validate",
        "validate",
        "Load a policy folder and list every complaint.",
    ),
    "lint": ("console.policy.lint", "lint", "Look for what loads and is likely a mistake."),
    "fmt": ("console.policy.fmt", "fmt", "Put the keys of policy files into their order."),
    "test": ("console.policy.test", "test", "Run the tests that a policy folder carries."),
    "explain": (
        "console.policy.explain",
        "explain",
        "Tell in words why a change is decided as it is.",
    ),
    "simulate": (
        "console.policy.simulate",
        "simulate",
        "Replay recorded changes under other policies; show only what differs.",
    ),
    "diff": (
        "console.policy.diff",
        "diff",
        "Tell what changed in meaning between two policy folders.",
    ),
    "check": ("console.policy.check", "check", "Decide one change that stands in a file."),
    "new": ("console.policy.new", "new", "Write a new policy and its test."),
    "fields": ("console.policy.fields", "fields", "List the fields that a policy may name."),
    "operators": ("console.policy.operators", "operators", "List the operators of conditions."),
    "schema": ("console.policy.schema", "schema", "Write or check the JSON Schemas."),
}


@click.group(cls=LazyGroup, lazy=VERBS, help="Validate, test and check policies.")
def policy() -> None:
    """Group the verbs."""
