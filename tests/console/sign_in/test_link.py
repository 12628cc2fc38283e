"""The link lets in once, for ten minutes, and never an approver."""

from __future__ import annotations

import pytest

from console.sign_in.link import LASTS, PATH, OneTimeLink
from console.sign_in.refusals import SignInRefused
from kernel.clock import FrozenClock
from kernel.principal import AppRole


def secret_of(path: str) -> str:
    return path.removeprefix(f"{PATH}/")


def test_it_is_good_once(clock: FrozenClock) -> None:
    link = OneTimeLink(clock)
    secret = secret_of(link.make())
    assert link.redeem(secret).has(AppRole.READER)
    with pytest.raises(SignInRefused):
        link.redeem(secret)


def test_it_makes_no_approver(clock: FrozenClock) -> None:
    link = OneTimeLink(clock)
    found = link.redeem(secret_of(link.make()))
    assert not found.may_approve
    assert not found.has(AppRole.APPROVER)


def test_it_ends(clock: FrozenClock) -> None:
    link = OneTimeLink(clock)
    secret = secret_of(link.make())
    clock.advance(LASTS.total_seconds())
    with pytest.raises(SignInRefused):
        link.redeem(secret)


def test_a_wrong_one_is_refused_and_leaves_the_right_one_good(clock: FrozenClock) -> None:
    link = OneTimeLink(clock)
    with pytest.raises(SignInRefused):
        link.redeem("")
    secret = secret_of(link.make())
    for wrong in ("", secret[:-1], secret + "x", "é"):
        with pytest.raises(SignInRefused):
            link.redeem(wrong)
    link.redeem(secret)


def test_a_new_one_ends_the_one_before(clock: FrozenClock) -> None:
    link = OneTimeLink(clock)
    before, after = secret_of(link.make()), secret_of(link.make())
    with pytest.raises(SignInRefused):
        link.redeem(before)
    link.redeem(after)
