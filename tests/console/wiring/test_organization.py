"""One installation serves one organisation."""

from __future__ import annotations

import pytest

from console.wiring.organization import (
    OrganizationDiffers,
    agreed_organization,
    known_organization,
    remember_organization,
)
from kernel.database import Database
from kernel.settings import load

OURS = "7d1c1a5e-6a5f-4e29-9f0b-0d7b6f9f1c01"
OTHER = "8e2d2b6f-7b60-4f3a-8a1c-1e8c7a0a2d12"


def test_what_answers_is_taken_when_nothing_was_set() -> None:
    assert agreed_organization(load({}), OURS) == OURS


def test_the_setting_and_the_answer_agree_whatever_the_spelling() -> None:
    settings = load({"MAILBOX_GUARD_ORGANIZATION_ID": "{" + OURS.upper() + "}"})
    assert agreed_organization(settings, OURS) == OURS


def test_another_organisation_is_refused_by_both_names() -> None:
    settings = load({"MAILBOX_GUARD_ORGANIZATION_ID": OURS})
    with pytest.raises(OrganizationDiffers, match=f"{OTHER}.*{OURS}") as refused:
        agreed_organization(settings, OTHER)
    assert refused.value.exit_code == 2


def test_what_answered_before_is_held_against_what_answers_now() -> None:
    with pytest.raises(OrganizationDiffers, match=f"{OTHER}, but was {OURS} until now") as refused:
        agreed_organization(load({}), OTHER, known=OURS)
    assert "MAILBOX_GUARD_ORGANIZATION_ID" in str(refused.value.hint)


async def test_a_database_remembers_its_organisation_and_a_setting_goes_before_it(
    database: Database,
) -> None:
    assert known_organization(load({}), database) is None
    for one in (OURS, OURS, OTHER):
        await remember_organization(database, one)
        assert known_organization(load({}), database) == one
    settings = load({"MAILBOX_GUARD_ORGANIZATION_ID": OURS.upper()})
    assert known_organization(settings, database) == OURS
