"""Setting paths on a change makes another change and leaves the first as it was."""

from __future__ import annotations

import pytest

from rules.model.errors import PathUnknown
from rules.testing.whatif import what_if
from tests.rules.builders import a_change, a_set, facts

_CATALOGUE = a_set().catalogue
_BEFORE = {"emailaddress": "a@b.de", "emailrouteraccessapproval": 2}


def _set(**assigned):
    change = a_change(before=_BEFORE, emailrouteraccessapproval=1)
    values = {path.replace("__", "."): value for path, value in assigned.items()}
    return what_if(change, facts(actor__upn="x"), _CATALOGUE, values)


def test_a_column_is_sent_and_differs():
    change, _ = _set(address="c@d.de")
    assert change.after["emailaddress"] == "c@d.de"
    assert change.differing == {"emailaddress", "emailrouteraccessapproval"}
    assert "emailaddress" in change.sent


def test_what_was_before_also_stays_unless_it_was_sent():
    change, _ = _set(old__address="c@d.de", old__approval="approved")
    assert (change.before["emailaddress"], change.after["emailaddress"]) == ("c@d.de", "c@d.de")
    assert change.differing == frozenset()


def test_facts_labels_requests_and_missing_are_set_by_path():
    change, known = _set(owner__upn="o@b.de", approval="rejected", missing__actor__upn="gone")
    assert known.values == {"new.owner.upn": "o@b.de"}
    assert known.missing == {"actor.upn": "gone"}
    assert change.after["emailrouteraccessapproval"] == 3
    change, _ = _set(request__columns=["emailaddress"])
    assert change.request["columns"] == ("emailaddress",)


@pytest.mark.parametrize("path", ["adress", "owner.upm", "actor", "nothing.at.all"])
def test_a_path_that_is_no_field_is_refused(path):
    with pytest.raises(PathUnknown):
        what_if(a_change(name="x"), facts(), _CATALOGUE, {path: "x"})


def test_a_path_without_root_gets_a_hint_without_root():
    with pytest.raises(PathUnknown) as raised:
        _set(owner__tpye="user")
    assert raised.value.hint == "Did you mean `owner.type`?"


def test_a_value_that_does_not_fit_is_refused():
    with pytest.raises(PathUnknown, match="no label"):
        _set(approval="aproved")
