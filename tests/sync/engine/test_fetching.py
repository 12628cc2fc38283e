"""A page that cannot be had, or never ends, costs one mail at most, and no other mailbox."""

from __future__ import annotations

from typing import Any

import pytest

from cloud.errors import (
    BadAnswer,
    CloudError,
    NotThere,
    Refused,
    RequestRejected,
    Throttled,
    Unreachable,
)
from sync.engine.fetching import MOST_EMPTY_PAGES, MOST_REPEATED_PAGES
from sync.engine.stream_pass import LINK_FAILURES
from sync.engine.workload import Page
from sync.model.link import LinkState
from sync.operate.mailboxes import resume
from sync.run.once import once
from sync.store import quarantine
from tests.conftest import NOON
from tests.rules.builders import a_policy, a_set
from tests.sync.builders import (
    ANNA_OBJECT,
    ANNA_RECORD,
    BEN_OBJECT,
    OPERATOR,
    World,
    a_message,
    link,
    state,
)

STUMBLED = Unreachable("Answered 500.", until=NOON, status=500)
MAILS = 25
CULPRIT = 17


def deliver(world: World, count: int = MAILS) -> None:
    world.approve_anna()
    for number in range(count):
        world.exchange.deliver(ANNA_OBJECT, a_message(number))


def spoil(world: World, error: CloudError) -> None:
    world.exchange.broken[a_message(CULPRIT)["id"]] = error


class TestOneCorruptMail:
    @pytest.mark.parametrize(
        "error", [STUMBLED, BadAnswer("The answer is not JSON.", status=200)], ids=["500", "json"]
    )
    async def test_the_rest_arrives_and_the_culprit_is_named(
        self, world: World, error: CloudError
    ) -> None:
        deliver(world)
        spoil(world, error)

        report = await once(world.sync)

        assert len(world.emails.rows) == MAILS - 1
        assert [one.item_id for one in report.problems] == [a_message(CULPRIT)["id"]]
        assert state(world)[0] == "synced"

        world.exchange.broken.clear()
        world.exchange.deliver(ANNA_OBJECT, a_message(MAILS))
        report = await once(world.sync)
        assert report.is_clean
        assert report.counts["created"] == 2
        assert len(world.emails.rows) == MAILS + 1

    async def test_one_that_comes_later_does_the_same(self, world: World) -> None:
        deliver(world, CULPRIT)
        await once(world.sync)
        for number in range(CULPRIT, MAILS):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        spoil(world, STUMBLED)

        report = await once(world.sync)

        assert len(world.emails.rows) == MAILS - 1
        assert report.counts["created"] == MAILS - 1 - CULPRIT
        assert [one.kind for one in report.problems] == ["quarantined"]

    async def test_the_same_while_policies_look_into_each_mail(self, world: World) -> None:
        rule = "{id: not-that, require: [{field: subject, notEquals: Nothing}], message: m}"
        world.policies = a_set(a_policy(rule, entity="message"))
        world.sync = world.another_process()
        deliver(world)
        spoil(world, STUMBLED)

        report = await once(world.sync)

        assert len(world.emails.rows) == MAILS - 1
        assert [one.item_id for one in report.problems] == [a_message(CULPRIT)["id"]]

    async def test_where_exchange_stumbles_over_everything_the_cursor_stays(
        self, world: World
    ) -> None:
        deliver(world)
        await once(world.sync)
        requests = world.exchange.requests[ANNA_OBJECT]
        world.exchange.fail_next(ANNA_OBJECT, *([STUMBLED] * 50))
        await once(world.sync)
        assert state(world)[0] == "failing"
        # Three sizes, ids alone and a new round, for each of the visits of half a minute.
        assert world.exchange.requests[ANNA_OBJECT] - requests <= 5 * 10
        world.exchange._faults[ANNA_OBJECT].clear()
        assert (await once(world.sync)).counts["listed"] == 0


@pytest.mark.parametrize("largest", [1, 3, 9])
async def test_a_page_that_is_too_large_comes_in_pieces(world: World, largest: int) -> None:
    deliver(world)
    world.exchange.largest_page = largest

    report = await once(world.sync)

    assert report.is_clean
    assert len(world.emails.rows) == MAILS


@pytest.mark.parametrize("entry", [None, 7, "text", {"subject": "no id"}, {"id": "ä"}])
async def test_an_entry_without_an_id_is_set_aside_and_comes_with_a_new_round(
    world: World, entry: Any
) -> None:
    deliver(world, 3)
    page = world.exchange.page
    spoilt = True

    async def with_one_more(*args: Any, **options: Any) -> Page:
        found = await page(*args, **options)
        return Page((*found.entries, entry), found.next_link, found.delta_link) if spoilt else found

    world.exchange.page = with_one_more  # type: ignore[method-assign]
    report = await once(world.sync)
    assert len(world.emails.rows) == 3
    assert [one.kind for one in report.problems] == ["quarantined"]

    spoilt = False
    assert not (await once(world.sync)).is_clean
    await resume(world.database, world.clock, ANNA_RECORD, by=OPERATOR)
    report = await once(world.sync)
    assert report.is_clean
    assert (report.counts["listed"], report.counts["created"]) == (3, 0)


class TestCircles:
    async def go_round(self, world: World, *, entries: bool, same_link: bool) -> int:
        """Let the first mailbox go in circles, and return how many requests that took."""
        deliver(world, 3)
        world.approve_ben()
        world.exchange.deliver(BEN_OBJECT, a_message(90))
        page = world.exchange.page
        self.circling = True

        async def circle(object_id: str, **options: Any) -> Page:
            found = await page(object_id, **(options | {"link": None}))
            if object_id != ANNA_OBJECT or not self.circling:
                return found
            link = "the-same" if same_link else f"link-{world.exchange.requests[ANNA_OBJECT]}"
            return Page(found.entries if entries else (), next_link=link)

        world.exchange.page = circle  # type: ignore[method-assign]
        report = await once(world.sync)
        assert [one.record_id for one in report.problems] == [ANNA_RECORD]
        assert report.problems[0].hint is not None
        assert state(world)[0] == "looping"
        assert "Order 90" in world.subjects()
        return world.exchange.requests[ANNA_OBJECT]

    @pytest.mark.parametrize(
        ("entries", "same_link", "most"),
        [
            (False, True, 3),
            (True, True, 3),
            (True, False, MOST_REPEATED_PAGES + 2),
            (False, False, MOST_EMPTY_PAGES + 2),
        ],
    )
    async def test_a_round_in_circles_ends_the_visit_and_the_next_begins_anew(
        self, world: World, entries: bool, same_link: bool, most: int
    ) -> None:
        assert await self.go_round(world, entries=entries, same_link=same_link) <= most
        self.circling = False
        report = await once(world.sync)
        assert report.is_clean
        assert len(world.emails.rows) == 4
        assert state(world) == ("synced", "")

    async def test_a_mailbox_that_stays_so_is_asked_ever_more_seldom(self, world: World) -> None:
        await self.go_round(world, entries=False, same_link=True)
        waits = []
        for _ in range(4):
            due = world.sync.visits.due_at(ANNA_RECORD)
            assert due is not None
            waits.append((due - world.clock.now()).total_seconds())
            await once(world.sync)
        assert waits == sorted(waits)
        assert waits[-1] > waits[0]


LINK_ERRORS = {
    "400": RequestRejected("Unknown.", status=400, service_code="ErrorOdd"),
    "403": Refused("Denied.", status=403),
    "404": NotThere("Not found.", status=404, service_code="ErrorItemNotFound"),
    "500": STUMBLED,
    "503": Unreachable("Answered 503.", until=NOON, status=503),
    "json": BadAnswer("The answer is not JSON.", status=200),
}


class TestDeadLinks:
    def kill(self, world: World, error: CloudError, *, only_links: bool = True) -> None:
        page = world.exchange.page

        async def dead(*args: Any, **options: Any) -> Page:
            if options["link"] is not None or not only_links:
                await options["permit"]()
                raise error
            return await page(*args, **options)

        world.exchange.page = dead  # type: ignore[method-assign]

    @pytest.mark.parametrize("error", LINK_ERRORS.values(), ids=list(LINK_ERRORS))
    async def test_after_a_few_visits_the_round_begins_anew(
        self, world: World, error: CloudError
    ) -> None:
        deliver(world, 1)
        await once(world.sync)
        world.exchange.deliver(ANNA_OBJECT, a_message(1))
        self.kill(world, error)

        for _ in range(LINK_FAILURES + 1):
            # Another process each time, as a scheduler starts them.
            report = await once(world.another_process())
            if report.is_clean:
                break

        assert report.is_clean, report.problems
        assert world.subjects() == ["Order 0", "Order 1"]
        assert world.emails.requests["create_email"] == 2

    async def test_a_person_who_resumes_the_mailbox_need_not_wait(self, world: World) -> None:
        deliver(world, 1)
        await once(world.sync)
        world.exchange.deliver(ANNA_OBJECT, a_message(1))
        self.kill(world, LINK_ERRORS["404"])
        assert not (await once(world.sync)).is_clean

        await resume(world.database, world.clock, ANNA_RECORD, by=OPERATOR)
        assert (await once(world.sync)).is_clean
        assert world.subjects() == ["Order 0", "Order 1"]

    @pytest.mark.parametrize("error", LINK_ERRORS.values(), ids=list(LINK_ERRORS))
    async def test_a_service_that_gives_no_new_round_costs_no_cursor(
        self, world: World, error: CloudError
    ) -> None:
        deliver(world, 3)
        await once(world.sync)
        page = world.exchange.page
        self.kill(world, error, only_links=False)
        for _ in range(2 * LINK_FAILURES):
            assert not (await once(world.sync)).is_clean

        world.exchange.page = page  # type: ignore[method-assign]
        report = await once(world.sync)
        assert report.is_clean
        assert report.counts["listed"] == 0

    async def test_in_a_mailbox_that_is_full_no_round_is_begun_anew(self, world: World) -> None:
        deliver(world, 3)
        await once(world.sync)
        page = world.exchange.page
        self.kill(world, Refused("Full.", status=403, service_code="ErrorQuotaExceeded"))
        for _ in range(2 * LINK_FAILURES):
            assert not (await once(world.sync)).is_clean
        world.exchange.page = page  # type: ignore[method-assign]
        assert (await once(world.sync)).counts["listed"] == 0

    async def test_what_passes_by_itself_is_waited_for(self, world: World) -> None:
        deliver(world, 3)
        await once(world.sync)
        page = world.exchange.page
        self.kill(world, Throttled("Slow down.", until=world.clock.now()))
        for _ in range(LINK_FAILURES + 1):
            await once(world.sync)
        world.exchange.page = page  # type: ignore[method-assign]
        assert (await once(world.sync)).counts["listed"] == 0


class TestWaysBack:
    """Whatever is set aside comes back: it has a link, and a task that tries again."""

    async def test_an_entry_that_makes_no_sense_comes_once_it_does(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message(1, receivedDateTime="tomorrow"))
        await once(world.sync)
        assert link(world, 1).state is LinkState.SET_ASIDE
        world.exchange.deliver(ANNA_OBJECT, a_message(1))
        world.exchange._mailboxes[ANNA_OBJECT].log.clear()

        await resume(world.database, world.clock, ANNA_RECORD, by=OPERATOR)
        await world.sync.leases.claim()
        await world.sync.workers.run_due()

        assert world.subjects() == ["Order 1"]
        assert world.database.read_now(lambda c: quarantine.list_for(c, [ANNA_RECORD])) == []

    async def test_a_mail_that_a_rule_could_not_judge_comes_once_it_can(self, world: World) -> None:
        rule = "{id: known, require: [{field: actor.kind, equals: user}], message: m}"
        world.policies = a_set(a_policy(rule, entity="message"))
        world.sync = world.another_process()
        deliver(world, 1)

        report = await once(world.sync)
        [problem] = report.problems
        assert problem.kind == "quarantined"
        assert problem.reason == "Rule one-policy/known could not be evaluated."
        assert world.emails.rows == {}

        world.policies = None
        assert (await once(world.another_process())).is_clean
        assert world.subjects() == ["Order 0"]

    async def test_a_rule_that_keeps_a_mail_out_needs_no_other(self, world: World) -> None:
        rules = """{id: known, require: [{field: actor.kind, equals: user}], message: m}
    {id: not-that, require: [{field: subject, notContains: Order}], message: m}"""
        world.policies = a_set(a_policy(rules, entity="message"))
        world.sync = world.another_process()
        deliver(world, 1)

        report = await once(world.sync)

        assert report.is_clean
        assert report.counts["skipped"] == 1

    async def test_what_has_its_row_is_not_set_aside_by_a_later_entry(self, world: World) -> None:
        deliver(world, 1)
        await once(world.sync)
        world.exchange.deliver(ANNA_OBJECT, a_message(0, receivedDateTime="tomorrow"))

        report = await once(world.sync)

        assert report.is_clean
        assert link(world, 0).state is LinkState.TRACKED
