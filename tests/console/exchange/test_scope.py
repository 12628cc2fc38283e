"""The script for Exchange says what it was made of, and whatever stands in a name does nothing."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.exchange.powershell import comment, is_plain, quoted
from console.exchange.scope import ExchangeScope, Member, legacy_script, scope_script
from kernel.errors import InputRefused

APP = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
PRINCIPAL = "1a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
ANNA = Member("anna@contoso.com", "2a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d")
EVIL = "$(Remove-Item /)'`\";\u2019; Remove-Mailbox x #"
QUOTES = "'\u2018\u2019\u201a\u201b"
NASTY = st.text(st.sampled_from("ab'\u2018\u2019\u201a\u201b\"`$(){};#@-|&\n\r\u2028\u202e \\"))


def made(*members: Member, **given: str) -> ExchangeScope:
    return ExchangeScope(APP, PRINCIPAL, members, **given)  # type: ignore[arg-type]


def without_literals(script: str) -> str:
    """Return a script with each single-quoted literal emptied, as PowerShell's tokenizer reads it.

    A quote is any of five signs; two in a row inside a literal are one sign of its text.
    """
    kept: list[str] = []
    for line in script.splitlines():
        place, inside = 0, False
        while place < len(line):
            char = line[place]
            if not inside and char == "#":
                break
            if char in QUOTES:
                if inside and place + 1 < len(line) and line[place + 1] in QUOTES:
                    place += 2
                    continue
                inside = not inside
                kept.append("'")
            elif not inside:
                kept.append(char)
            place += 1
        assert not inside, line
        kept.append("\n")
    return re.sub("\n+", "\n", "".join(kept))


@given(NASTY)
def test_a_literal_ends_where_its_text_ends(text: str) -> None:
    if not is_plain(text):
        with pytest.raises(ValueError, match="line break"):
            quoted(text)
        return
    literal = quoted(text)
    assert without_literals(literal) == "''\n"
    inner = literal[1:-1]
    assert re.sub(f"([{QUOTES}])\\1", r"\1", inner) == text


@given(NASTY)
def test_a_comment_is_nothing_but_comment(text: str) -> None:
    for line in comment(text):
        assert line.startswith("# ")
        assert len(line.splitlines()) == 1


@given(address=NASTY, object_id=NASTY)
def test_nothing_in_a_member_gets_out_of_its_literal(address: str, object_id: str) -> None:
    odd = made(ANNA, Member(address, object_id))
    usual = made(ANNA, *([Member("x", "y")] if odd.left_out == 0 else []))
    for script in (scope_script, legacy_script):
        assert without_literals(script(odd)) == without_literals(script(usual))


@given(name=NASTY.filter(is_plain))
def test_nothing_in_a_name_gets_out_of_its_literal(name: str) -> None:
    odd = made(ANNA, group=name, scope=name, display_name=name)
    assert without_literals(scope_script(odd)) == without_literals(scope_script(made(ANNA)))


@given(value=NASTY.filter(is_plain))
def test_a_value_stays_inside_the_filter_and_the_filter_inside_its_literal(value: str) -> None:
    script = scope_script(made(ANNA, attribute="CustomAttribute1", value=value))
    usual = scope_script(made(ANNA, attribute="CustomAttribute1"))
    assert without_literals(script) == without_literals(usual)


def test_the_usual_script_has_every_step_in_its_order() -> None:
    script = scope_script(made(ANNA, canary="3a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"))
    steps = (
        "New-DistributionGroup -Name 'Mailbox Guard approved' -Type Security",
        "Add-DistributionGroupMember -Identity 'Mailbox Guard approved' -Member 'anna@contoso.com'",
        f"New-ServicePrincipal -AppId '{APP}' -ObjectId '{PRINCIPAL}'",
        "New-ManagementScope -Name 'Mailbox Guard approved' -RecipientRestrictionFilter $filter",
        f"New-ManagementRoleAssignment -Name 'Mailbox Guard: Application Mail.Read' "
        f"-App '{PRINCIPAL}' -Role 'Application Mail.Read' "
        "-CustomResourceScope 'Mailbox Guard approved'",
        f"Test-ServicePrincipalAuthorization -Identity '{PRINCIPAL}' -Resource 'anna@contoso.com'",
        f"Test-ServicePrincipalAuthorization -Identity '{PRINCIPAL}' -Resource '3a1b2c3d",
    )
    places = [script.index(step) for step in steps]
    assert all(earlier < later for earlier, later in pairwise(places))
    for told in ("Tasks.*", "User.Read.All", "30 minutes to 2 hours", "defeats it"):
        assert told in script


def test_an_attribute_takes_the_place_of_the_group() -> None:
    script = scope_script(made(ANNA, attribute="CustomAttribute7", value="o'k"))
    assert "Set-Mailbox -Identity 'anna@contoso.com' -CustomAttribute7 'o''k'" in script
    assert "$filter = 'CustomAttribute7 -eq ''o''''k'''" in script
    assert "DistributionGroup" not in script


def test_the_older_form_limits_the_consents() -> None:
    script = legacy_script(made(ANNA))
    assert f"New-ApplicationAccessPolicy -AccessRight RestrictAccess -AppId '{APP}'" in script
    assert f"Test-ApplicationAccessPolicy -AppId '{APP}' -Identity 'anna@contoso.com'" in script
    assert "ServicePrincipal" not in script


def test_an_address_of_several_lines_is_left_out_and_counted() -> None:
    script = scope_script(made(ANNA, Member("x\nRemove-Mailbox y", "z")))
    assert "Remove-Mailbox" not in script
    assert "# Left out: 1" in script


@pytest.mark.parametrize(
    "given",
    [{"group": "a\nb"}, {"roles": ("Application God",)}, {"attribute": "Name"}],
)
def test_what_cannot_stand_in_a_script_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(InputRefused):
        made(ANNA, **given)


def test_the_older_form_knows_no_attribute() -> None:
    with pytest.raises(InputRefused, match="group"):
        legacy_script(made(ANNA, attribute="CustomAttribute1"))


def test_what_is_meant_badly_stands_in_the_script_as_a_text() -> None:
    script = scope_script(made(Member(EVIL, "id")))
    assert "Remove-Item" in script
    assert "Remove-Item" not in without_literals(script)
