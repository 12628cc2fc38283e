"""A person has one pseudonym under a key, and a masked decision holds no person."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.ledger.pseudonyms import Masker, Pseudonyms
from kernel.errors import SettingInvalid
from rules.load.loader import catalogue_of

OLD, NEW = bytes(32), bytes(range(32))
TWO = Pseudonyms([NEW, OLD])
ANNA = "anna@contoso.com"
SHOWN = {
    "id": "d1",
    "decided_at": "2026-11-23T12:00:00Z",
    "decision": "reject",
    "cause": "rules",
    "table": "mailbox",
    "record_id": "r1",
    "operation": "update",
    "initiating_user_id": "u1",
    "on_behalf_by": None,
    "actor": {"id": "u1", "name": "Anna Berg", "upn": ANNA},
    "address": {"before": ANNA, "after": "ceo@contoso.com"},
    "altered": ["emailaddress"],
    "rules": ["own-address-only/same-as-owner"],
    "obligations": [
        {"kind": "revert", "state": "done", "cause": None, "result": f"{ANNA} again", "hint": ANNA}
    ],
    "status": 200,
    "chain": {"id": "c", "place": 0, "digest": "x"},
    "masked": False,
    "remark": ANNA,
    "private": {
        "before": {"emailaddress": ANNA, "statecode": 0, "cr_secret": ANNA, "ownerid.id": "u1"},
        "after": {"emailaddress": "ceo@contoso.com", "statecode": 0},
        "facts": {
            "actor.upn": ANNA,
            "actor.roleIds": ["role1"],
            "new.owner.names": [ANNA, "object1"],
            "new.owner.type": "user",
            "facts.addressChangedOn": {"$at": 5},
            "no.such.fact": {"whoever": ANNA},
        },
        "missing": {"new.owner.upn": f"{ANNA} did not answer"},
        "findings": [
            {"policy": "p", "rule": "r", "effect": "reject", "message": ANNA, "help": f"Ask {ANNA}"}
        ],
    },
}


@given(st.text(min_size=1))
def test_the_same_value_has_the_same_pseudonym_whatever_its_case(value: str) -> None:
    found = TWO.of(value)
    assert found == TWO.of(f" {value} ".swapcase()) or value.swapcase().lower() != value.lower()
    assert found == TWO.all_of(value)[0] != TWO.all_of(value)[1]


def test_another_key_gives_another_pseudonym_and_is_named_in_it() -> None:
    new, old = TWO.all_of(ANNA)
    assert (new, old) == (Pseudonyms([NEW]).of(ANNA.upper()), Pseudonyms([OLD]).of(ANNA))
    assert new.split("~")[1] == TWO.key_id != old.split("~")[1]
    assert Pseudonyms([OLD]).of("") == ""


def test_a_masked_decision_holds_no_person_and_still_tells_its_story() -> None:
    masked = Masker(TWO, catalogue_of(None)).masked(SHOWN)
    text = json.dumps(masked)
    for personal in (ANNA, "Berg", "ceo@", '"u1"', '"r1"', "object1"):
        assert personal not in text
    private = masked["private"]
    anna = TWO.of(ANNA)
    assert masked["address"] == {"before": anna, "after": TWO.of("ceo@contoso.com")}
    assert masked["actor"] == {"id": TWO.of("u1"), "name": None, "upn": anna}
    assert private["before"]["cr_secret"] == private["facts"]["actor.upn"] == anna
    assert private["before"]["ownerid.id"] == masked["initiating_user_id"]
    assert private["facts"]["actor.roleIds"] == ["role1"]
    assert private["facts"]["new.owner.type"] == "user"
    assert private["facts"]["facts.addressChangedOn"] == {"$at": 5}
    assert private["facts"]["no.such.fact"] is None
    assert private["missing"] == {"new.owner.upn": ""}
    assert private["findings"] == [{"policy": "p", "rule": "r", "effect": "reject"}]


def test_what_was_masked_in_place_stays_without_its_private_part() -> None:
    shown = {**SHOWN, "private": None, "masked": True, "address": {}}
    masked = Masker(TWO, catalogue_of(None)).masked(shown)
    assert masked["private"] is None
    assert masked["masked"]


def test_keys_are_read_the_newest_first(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"{NEW.hex()}\n{OLD.hex()}\n")
    assert Pseudonyms.read(file).all_of(ANNA) == TWO.all_of(ANNA)


@pytest.mark.parametrize("text", ["", "abc\n", f"{OLD.hex()}\nsecret words\n", "\u00e4"])
def test_what_is_no_key_is_refused_without_being_told(tmp_path: Path, text: str) -> None:
    file = tmp_path / "keys"
    file.write_text(text)
    with pytest.raises(SettingInvalid) as refused:
        Pseudonyms.read(file)
    assert "secret words" not in f"{refused.value.message} {refused.value.hint}"
    assert "openssl rand" in (refused.value.hint or "")
