"""What a person may do hangs on their proof and their roles."""

from __future__ import annotations

import pytest

from kernel.person import Person, Proof, Role

APPROVER = frozenset({Role.APPROVER})


def test_whoever_has_any_role_may_read() -> None:
    assert all(Person("N", Proof.ENTRA, frozenset({role})).has(Role.READER) for role in Role)
    assert not Person("N", Proof.ENTRA).has(Role.READER)


def test_an_approver_is_no_operator() -> None:
    assert not Person("N", Proof.ENTRA, APPROVER, "1").has(Role.OPERATOR)


@pytest.mark.parametrize("proof", [Proof.LINK, Proof.ACCOUNT])
def test_only_who_signed_in_may_approve(proof: Proof) -> None:
    assert Person("N", Proof.ENTRA, APPROVER, "1").may_approve
    assert not Person("N", proof, APPROVER, "1").may_approve
    assert not Person("N", Proof.ENTRA, APPROVER, None).may_approve
    assert not Person("N", Proof.ENTRA, frozenset({Role.OPERATOR}), "1").may_approve
