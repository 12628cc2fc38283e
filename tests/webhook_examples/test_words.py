"""Whatever of the examples was recorded is shown in words: no value of Python, no empty name."""

from __future__ import annotations

import re

import httpx
import pytest

from console.commands.decisions import _show_text
from console.edits import csv_of, edits_of, events_of, text_of
from console.readings.edit import edit_of
from guard.ledger.filters import DecisionFilter
from guard.ledger.listing import list_decisions
from kernel.database import Database
from tests.webhook_examples.examples import all_examples
from tests.webhook_examples.test_answers import _post, client, ledger_file

__all__ = ["client", "ledger_file"]
PYTHON = re.compile(r"\b(?:True|False|None|NoneType)\b|[{\[]'|<[\w.]+ object at")


@pytest.mark.slow
async def test_every_decision_is_listed_and_shown_in_words(
    client: httpx.AsyncClient, ledger_file: Database
) -> None:
    answers = []
    for example in all_examples():
        answer = (await _post(client, example)).json()
        told = [one["message"] for one in answer.get("findings", ())]
        answers += [*told, str(answer.get("detail", ""))]
    found = ledger_file.read_now(lambda c: list_decisions(c, DecisionFilter(), limit=None))
    assert len(found) > 50
    shown = [text_of(events_of(found)), text_of(edits_of(found)), csv_of(events_of(found))]
    for one in found:
        whole = ledger_file.read_now(lambda c, one=one: edit_of(c, one["id"]))
        text = _show_text(whole)
        assert not re.search(r" (?:by|at|seen|correlation|set|of)(?:,|$)", text, re.M), text
        shown.append(text)
    assert [text for text in (*shown, *answers) if PYTHON.search(text)] == []
