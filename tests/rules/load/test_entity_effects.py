"""A catalogue that gives an entity the effects of another kind, or none, is refused."""

from __future__ import annotations

import pytest

from rules.load.loader import load_documents
from rules.model.errors import PolicySetInvalid
from rules.syntax.shipped import CATALOGUE_FILE, shipped_catalogue

LINE = "  effects: [skip, metadata-only]\n"


def test_messages_without_their_effects_are_refused_at_their_section() -> None:
    text = shipped_catalogue()
    assert text.count(LINE) == 1
    with pytest.raises(PolicySetInvalid) as raised:
        load_documents({CATALOGUE_FILE: text.replace(LINE, "")})
    said = str(raised.value)
    assert "Rules on `message` have the effects of its own kind" in said
    assert "`effects: [skip, metadata-only]`" in said


@pytest.mark.parametrize("table", ["mailbox", "systemuser", "queue"])
def test_records_with_the_effects_of_messages_are_refused(table: str) -> None:
    text = shipped_catalogue().replace(f"\n{table}:\n", f"\n{table}:\n{LINE}")
    with pytest.raises(PolicySetInvalid, match=f"Rules on `{table}`"):
        load_documents({CATALOGUE_FILE: text})


def test_the_catalogue_as_it_is_shipped_is_accepted_in_other_words() -> None:
    text = shipped_catalogue() + "# A line that changes nothing.\n"
    assert load_documents({CATALOGUE_FILE: text}).catalogue.entities["message"]
