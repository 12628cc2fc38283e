"""The page on answers names every answer that an example gets, and the one that needs no file."""

from __future__ import annotations

import json

from tests.docs.pages import blocks, first_cells, page
from tests.webhook_examples.examples import all_examples

TEXT = page("answers.md")


def test_every_status_of_the_examples_stands_in_the_table() -> None:
    shown = {example.expected.status for example in all_examples()} | {503}
    assert {int(cell) for cell in first_cells(TEXT, "status")} == shown


def test_the_printed_rejection_has_the_fields_that_are_promised() -> None:
    body = json.loads(next(text for text in blocks(TEXT, "json") if '"title"' in text))
    assert {"decision", "decision_id", "findings", "status"} <= body.keys()
    finding = body["findings"][0]
    assert {"policy", "rule", "effect", "severity", "message"} <= finding.keys()
    explained = set(first_cells(TEXT, "field"))
    assert {"`decision`", "`decision_id`", "`findings`", "`effect`", "`severity`"} <= explained
