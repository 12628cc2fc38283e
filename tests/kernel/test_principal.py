"""What a person may do hangs on their proof and their roles."""

from __future__ import annotations

import pytest

from kernel.principal import AppRole, Principal, Proof

APPROVER = frozenset({AppRole.APPROVER})


def test_whoever_has_any_role_may_read() -> None:
    assert all(
        Principal("N", Proof.ENTRA, frozenset({role})).has(AppRole.READER) for role in AppRole
    )
    assert not Principal("N", Proof.ENTRA).has(AppRole.READER)


def test_an_approver_is_no_operator() -> None:
    assert not Principal("N", Proof.ENTRA, APPROVER, "1").has(AppRole.OPERATOR)


@pytest.mark.parametrize("proof", [Proof.LINK, Proof.ACCOUNT])
def test_only_who_signed_in_may_approve(proof: Proof) -> None:
    assert Principal("N", Proof.ENTRA, APPROVER, "1").may_approve
    assert not Principal("N", proof, APPROVER, "1").may_approve
    assert not Principal("N", Proof.ENTRA, APPROVER, None).may_approve
    assert not Principal("N", Proof.ENTRA, frozenset({AppRole.OPERATOR}), "1").may_approve
