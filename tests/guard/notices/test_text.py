from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guard.columns.table import TABLES
from guard.notices.frames import FRAMES, frame_in
from guard.notices.languages import LANGUAGES, language_of
from guard.notices.notice import MOST_BODY, MOST_TITLE, Notice
from guard.notices.text import Places, Reason, notice_of

DECISION = "01a20da4-4880-73a9-b2db-b9723cd74a8a"


def a_notice(
    reasons: Sequence[Reason], *, untold: int = 0, language: str | None = None, is_new: bool = False
) -> Notice:
    return notice_of(
        decision_id=DECISION, person_id="p", table="mailbox", record_id="r", is_hold=False,
        is_new=is_new, reasons=reasons, untold=untold, language=language,
        places=Places(contact="helpdesk@contoso.com"),
    )  # fmt: skip


@given(
    st.lists(st.builds(Reason, st.text(), st.none() | st.text(), st.none() | st.text())),
    st.integers(0, 10**9),
    st.sampled_from([None, *FRAMES]),
)
def test_it_always_fits_and_ends_with_the_decision(
    reasons: list[Reason], untold: int, language: str | None
) -> None:
    notice = a_notice(reasons, untold=untold, language=language)
    assert len(notice.title) <= MOST_TITLE
    assert len(notice.body) <= MOST_BODY
    assert notice.body.endswith(frame_in(language).decision.format(id=DECISION))
    assert "\n" not in notice.body


def test_the_contact_of_the_policy_comes_before_that_of_the_settings() -> None:
    assert "Help: crm@contoso.com." in a_notice([Reason("No.", None, "crm@contoso.com")]).body
    assert "Help: helpdesk@contoso.com." in a_notice([Reason("No.")]).body


def test_a_row_that_was_never_made_is_not_linked() -> None:
    assert len(a_notice([], is_new=False).links) == 1
    assert a_notice([], is_new=True).links == ()


@pytest.mark.parametrize("language", FRAMES)
def test_every_frame_names_every_guarded_table(language: str) -> None:
    assert set(FRAMES[language].things) == {one.owner_type for one in TABLES.values()}
    for text in (FRAMES[language].rejected, FRAMES[language].held):
        assert "{thing}" in text


def test_a_language_that_the_guard_does_not_speak_is_framed_in_english() -> None:
    for language in (None, "fi", "xx"):
        assert frame_in(language) is FRAMES["en"]
    assert frame_in("de-AT") is FRAMES["de"]


@pytest.mark.parametrize(
    ("locale", "language"),
    [(1031, "de"), (3079, "de"), (1033, "en"), (3082, "es"), (2052, "zh"), (None, None), (0, None)],
)
def test_a_locale_id_names_a_language(locale: int | None, language: str | None) -> None:
    assert language_of(locale) == language


def test_every_language_is_named_as_the_web_names_it() -> None:
    assert all(len(tag) == 2 and tag.islower() for tag in LANGUAGES.values())
