"""Claims become a principal, or nobody."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.sign_in.claims import MOST_NAME, principal_of
from console.sign_in.refusals import SignInRefused
from kernel.principal import AppRole, Proof
from tests.console.sign_in.conftest import PERSON

GOOD = {"oid": PERSON, "preferred_username": "anna@contoso.com", "roles": ["Reader"]}


def test_a_person_is_their_object_with_their_roles() -> None:
    found = principal_of(GOOD | {"roles": ["Approver", "Operator", "Something.Else"]})
    assert (found.name, found.object_id, found.proof) == ("anna@contoso.com", PERSON, Proof.ENTRA)
    assert found.roles == {AppRole.APPROVER, AppRole.OPERATOR}
    assert found.may_approve


@pytest.mark.parametrize(
    "claims",
    [
        {},
        GOOD | {"oid": None},
        GOOD | {"oid": "' OR 1=1"},
        GOOD | {"roles": None},
        GOOD | {"roles": []},
        GOOD | {"roles": "Approver"},
        GOOD | {"roles": ["approver", "Global Administrator"]},
        GOOD | {"idtyp": "app"},
    ],
)
def test_anything_else_is_nobody(claims: dict[str, object]) -> None:
    with pytest.raises(SignInRefused):
        principal_of(claims)


@given(st.text(max_size=600))
def test_a_name_is_one_bounded_line_whatever_the_token_says(name: str) -> None:
    found = principal_of(GOOD | {"preferred_username": name})
    assert 0 < len(found.name) <= MOST_NAME
    assert found.name.isprintable()
