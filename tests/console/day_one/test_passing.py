"""Whatever the organisation, its folder loads, its tests pass, and lint has no error."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.day_one.answers import Answers
from console.day_one.fitted import OWN_TESTS, fitted_texts, near_miss
from console.day_one.passing import passing, without_cases, write_all
from kernel.errors import InputRefused
from rules.lint.run import lint_folder
from rules.operators.likeness import Likenesses
from rules.syntax.folder import read_folder
from rules.syntax.shipped import shipped_folder
from rules.testing.run import run_folder

PROFILE = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
SHIPPED = read_folder(shipped_folder(), [])
ORGANISATIONS = {
    "two domains": Answers(("adatum.com", "adatum.de"), ("boss@adatum.com",)),
    "a short name": Answers(("b.hr",), ("x@b.hr",)),
    "a profile": Answers(("bank.example",), ("chief.executive@bank.example",), profiles=(PROFILE,)),
    "the sample itself": Answers(("contoso.com",), ("ceo@contoso.com", "cfo@contoso.com")),
    "an encoded domain": Answers(("xn--mnchen-3ya.example",), ("o'hara@xn--mnchen-3ya.example",)),
    "an office as VIP": Answers(("fabrikam.com",), ("payroll@fabrikam.com",)),
}


@pytest.mark.slow
@pytest.mark.parametrize("answers", ORGANISATIONS.values(), ids=ORGANISATIONS)
def test_a_fitted_folder_loads_passes_and_has_no_error(answers: Answers, tmp_path: Path) -> None:
    fitted = passing(fitted_texts(SHIPPED, answers))
    write_all(tmp_path, fitted.texts)
    run = run_folder(tmp_path)
    assert run.failed == ()
    assert run.complaints == ()
    assert len(run.cases) == fitted.cases
    # Nearly all of the shipped cases speak of this organisation now.
    assert fitted.left_out < fitted.cases / 10
    remarks = lint_folder(tmp_path, now=datetime(2026, 11, 23, tzinfo=UTC))
    assert [str(one.complaint) for one in remarks if one.complaint.level == "error"] == []
    assert "contoso.com" not in fitted.texts[OWN_TESTS] or answers.domains == ("contoso.com",)


def test_without_a_profile_its_policy_is_left_out() -> None:
    found = fitted_texts(SHIPPED, ORGANISATIONS["two domains"])
    assert "server-profile-pinned.yaml" not in found
    assert "lists/server-profiles.yaml" not in found
    assert "server-profile-pinned.yaml" in fitted_texts(SHIPPED, ORGANISATIONS["a profile"])


@pytest.mark.parametrize(
    "given",
    [
        {"domains": ()},
        {"domains": ("contoso",)},
        {"domains": ("contoso.com\nitems: [evil.example]",)},
        {"domains": ("-.com",)},
        {"vips": ()},
        {"vips": ("nobody",)},
        {"vips": ('"@contoso.com',)},
        {"profiles": ("Microsoft Exchange Online",)},
        {"approver_role_id": "Delegated Mailbox Approver"},
    ],
)
def test_what_cannot_stand_in_a_folder_is_refused(given: dict[str, tuple[str, ...]]) -> None:
    usual: dict[str, tuple[str, ...]] = {"domains": ("a.com",), "vips": ("b@a.com",)}
    with pytest.raises(InputRefused):
        Answers(**(usual | given))  # type: ignore[arg-type]


@given(st.from_regex(r"[a-z]{2,20}\.(com|de)", fullmatch=True))
def test_a_near_miss_is_another_text_that_resembles(domain: str) -> None:
    near = near_miss(domain)
    if near is not None:
        assert near != domain
        assert Likenesses([domain]).find(near) == domain


def test_a_case_falls_out_whole_and_the_others_stay() -> None:
    text = "cases:\n  - name: one\n    use: x\n  - name: two\n    use: y\n  - name: three\n"
    assert without_cases(text, {4}) == ("cases:\n  - name: one\n    use: x\n  - name: three\n")
    assert without_cases(text, {2, 4, 6}) is None
    assert without_cases(text, set()) == text
