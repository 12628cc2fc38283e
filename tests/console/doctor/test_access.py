"""Each permission is needed for something that is done, or it is too much."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from console.doctor.access import USES, Purpose, access_of, is_grave, unserved, uses_of

GUARDING = (Purpose.GUARDING,)
KNOWN = sorted(
    {name for use in USES for name in (*use.allowed_by, *use.wider)} | {"Sites.Read.All"}
)
PERMISSIONS = st.frozensets(st.sampled_from(KNOWN))
PURPOSES = st.frozensets(st.sampled_from(list(Purpose)))


def by_name(held: set[str], *purposes: Purpose) -> dict[str, tuple[bool, bool]]:
    lines = access_of("guard", frozenset(held), purposes)
    return {line.permission: (line.is_held, line.is_needed) for line in lines}


def test_the_narrowest_that_is_held_serves_a_use() -> None:
    held = {"User.Read.All", "Directory.Read.All"}
    assert by_name(held, *GUARDING) == {
        "User.Read.All": (True, True),
        "Directory.Read.All": (True, True),
    }


def test_one_wide_enough_for_all_makes_the_narrow_ones_unmissed() -> None:
    assert unserved(frozenset({"Directory.Read.All"}), GUARDING) == []


def test_what_nothing_needs_is_too_much() -> None:
    found = by_name({"Directory.Read.All", "Mail.Read"}, *GUARDING)
    assert found["Mail.Read"] == (True, False)


def test_what_allows_more_than_is_done_is_too_much_and_says_what_is_enough() -> None:
    lines = access_of("mailboxes", frozenset({"Mail.ReadWrite"}), [Purpose.READING])
    wide = next(line for line in lines if line.permission == "Mail.ReadWrite")
    assert wide.is_too_much
    assert "Mail.Read is enough" in wide.why
    assert wide.without == "nothing is lost once Mail.Read is granted"


def test_what_exchange_may_grant_beside_the_token_is_not_missed() -> None:
    assert unserved(frozenset(), [Purpose.READING]) == []


def test_what_is_missing_is_named_by_its_narrowest_permission() -> None:
    assert [use.allowed_by[0] for use in unserved(frozenset({"User.Read.All"}), GUARDING)] == [
        "RoleManagement.Read.Directory",
        "GroupMember.Read.All",
        "OrgContact.Read.All",
    ]


def test_mail_and_writing_are_grave() -> None:
    assert all(
        map(is_grave, ("Mail.Read", "Mail.Send", "User.ReadWrite.All", "full_access_as_app"))
    )
    assert not any(map(is_grave, ("User.Read.All", "Directory.Read.All", "MailboxSettings.Read")))


@given(PERMISSIONS, PURPOSES)
def test_every_held_permission_is_told_once(
    held: frozenset[str], purposes: frozenset[Purpose]
) -> None:
    lines = access_of("guard", held, purposes)
    names = [line.permission for line in lines]
    assert len(names) == len(set(names))
    assert {line.permission for line in lines if line.is_held} == held
    assert all(line.is_held or line.is_needed for line in lines)


@given(PERMISSIONS, PURPOSES)
def test_without_what_is_told_as_needed_something_is_missed(
    held: frozenset[str], purposes: frozenset[Purpose]
) -> None:
    served = {line.permission for line in access_of("guard", held, purposes) if line.is_needed}
    assert unserved(frozenset(served), purposes) == []
    for use in uses_of(purposes):
        assert served & set(use.allowed_by)
