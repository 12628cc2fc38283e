from __future__ import annotations

from sync.mail.item import MailItem
from sync.mail.plan import plan
from sync.model.item import UnreadableEntry
from sync.model.link import ItemPlace, Link, LinkState
from sync.model.plan import Intent, IntentKind, SetAside
from sync.model.verdict import Fate, Verdict

TRACK = Verdict(Fate.TRACK, "incoming mail of the Inbox")


def an_item(item_id: str = "a", **values: object) -> MailItem:
    return MailItem(item_id, **values)  # type: ignore[arg-type]


def test_a_new_mail_is_linked_and_its_row_is_planned() -> None:
    planned = plan({}, [an_item("a", shared_id="<1@x>")], {"a": TRACK})

    assert planned.links == (Link("a", shared_id="<1@x>"),)
    assert planned.intents == (Intent(IntentKind.CREATE, "a"),)
    assert planned.verdicts == (("a", TRACK),)


def test_a_repeated_entry_is_planned_once() -> None:
    planned = plan({}, [an_item("a"), an_item("a"), an_item("a")], {"a": TRACK})

    assert planned.intents == (Intent(IntentKind.CREATE, "a"),)


def test_a_known_mail_is_never_planned_again() -> None:
    for state in set(LinkState) - {LinkState.SET_ASIDE}:
        planned = plan({"a": Link("a", state=state)}, [an_item("a")], {"a": TRACK})

        assert planned.intents == planned.links == planned.verdicts == ()
        assert planned.known == ("a",)


def test_the_row_of_one_that_is_set_aside_is_wanted_again_in_the_listed_version() -> None:
    aside = Link("a", state=LinkState.SET_ASIDE)

    planned = plan({"a": aside}, [an_item("a", version="2")], {"a": TRACK})

    assert planned.intents == (Intent(IntentKind.CREATE, "a", "2"),)
    assert planned.links == planned.verdicts == ()


def test_a_draft_is_never_tracked_whatever_the_verdict_says() -> None:
    planned = plan({}, [an_item("a", is_draft=True)], {"a": TRACK})

    assert planned.links == planned.intents == ()
    assert planned.verdicts == (("a", Verdict(Fate.SKIP, "draft")),)


def test_a_skipped_mail_leaves_its_verdict_only() -> None:
    skip = Verdict(Fate.SKIP, "newsletter", "mail/no-newsletters")

    planned = plan({}, [an_item("a")], {"a": skip})

    assert planned.links == planned.intents == ()
    assert planned.verdicts == (("a", skip),)


def test_a_metadata_only_mail_says_so_in_its_link() -> None:
    planned = plan({}, [an_item("a")], {"a": Verdict(Fate.METADATA_ONLY, "private")})

    assert planned.links[0].is_metadata_only


def test_a_removal_of_a_known_mail_is_verified_and_nothing_else() -> None:
    planned = plan({"a": Link("a")}, [an_item("a", removed=True)], {})

    assert planned.intents == (Intent(IntentKind.VERIFY, "a"),)
    assert planned.links == ()


def test_a_removal_of_an_unknown_mail_is_noise() -> None:
    assert plan({}, [an_item("a", removed=True)], {}).intents == ()


def test_a_removal_of_what_is_gone_already_is_noise() -> None:
    gone = Link("a", place=ItemPlace.GONE)

    assert plan({"a": gone}, [an_item("a", removed=True)], {}).intents == ()


def test_a_mail_that_comes_and_goes_in_one_page_is_tracked_and_verified() -> None:
    for entries in (
        [an_item("a"), an_item("a", removed=True)],
        [an_item("a", removed=True), an_item("a")],
    ):
        planned = plan({}, entries, {"a": TRACK})

        assert set(planned.intents) == {
            Intent(IntentKind.CREATE, "a"),
            Intent(IntentKind.VERIFY, "a"),
        }


def test_a_mail_that_comes_back_is_here_again() -> None:
    away = Link("a", state=LinkState.TRACKED, place=ItemPlace.ELSEWHERE, row_id="r")

    planned = plan({"a": away}, [an_item("a")], {"a": TRACK})

    assert planned.links == (Link("a", state=LinkState.TRACKED, row_id="r"),)
    assert planned.intents == ()


def test_what_cannot_be_understood_or_judged_is_set_aside() -> None:
    planned = plan({}, [UnreadableEntry("a", "no id"), an_item("b")], {})

    assert planned.set_aside == (
        SetAside("a", "no id"),
        SetAside("b", "No verdict could be reached."),
    )
    assert planned.intents == ()
