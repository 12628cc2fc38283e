"""Roles allow what they say; the link takes away and gives nothing."""

from __future__ import annotations

import pytest

from console.sign_in.allowed import require
from console.sign_in.link import HOLDER
from console.sign_in.refusals import RoleMissing
from kernel.principal import AppRole, Principal, Proof


def person(*roles: AppRole) -> Principal:
    return Principal("anna@contoso.com", Proof.ENTRA, frozenset(roles), "1")


@pytest.mark.parametrize("role", list(AppRole))
def test_any_role_reads_and_each_allows_itself(role: AppRole) -> None:
    require(person(role), AppRole.READER)
    require(person(role), role, gives=True)


def test_no_role_allows_another() -> None:
    for mine, other in (
        (AppRole.READER, AppRole.OPERATOR),
        (AppRole.OPERATOR, AppRole.APPROVER),
        (AppRole.APPROVER, AppRole.OPERATOR),
    ):
        with pytest.raises(RoleMissing):
            require(person(mine), other)
    with pytest.raises(RoleMissing):
        require(person(), AppRole.READER)


def test_the_link_takes_away_and_gives_nothing() -> None:
    require(HOLDER, AppRole.OPERATOR)
    with pytest.raises(RoleMissing, match="give nothing back"):
        require(HOLDER, AppRole.OPERATOR, gives=True)
    with pytest.raises(RoleMissing):
        require(HOLDER, AppRole.APPROVER)
