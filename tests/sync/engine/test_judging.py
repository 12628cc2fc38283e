"""Policies on what items hold decide in the sync: skip, metadata only, or track."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from cloud.errors import BadAnswer, RequestRejected, Throttled
from kernel.errors import GuardError
from rules.engine.policy_set import PolicySet
from rules.model.change import Value
from rules.syntax.shipped import shipped_folder
from sync.engine.workload import Content
from sync.errors import ItemUnreadable
from sync.mail.workload import MailWorkload
from sync.model.link import LinkState
from sync.model.verdict import Fate, Verdict
from sync.run.once import once
from sync.store import access, links, payloads, quarantine, verdicts
from tests.rules.builders import a_policy, a_set
from tests.sync.builders import ANNA_OBJECT, ANNA_RECORD, FILE, World, a_message, link

PRIVATE = (shipped_folder() / "private-mail-untouched.yaml").read_text("utf-8")
NOT_PRIVATE, PERSONAL = (
    f"private-mail-untouched/{one}" for one in ("not-marked-private", "personal-by-metadata")
)


def enforced() -> PolicySet:
    assert "mode: audit" in PRIVATE
    return a_set(PRIVATE.replace("mode: audit", "mode: enforce"))


def judge_by(world: World, policies: PolicySet) -> None:
    world.policies = policies
    world.sync = world.another_process()


def marked(number: int = 1, sensitivity: int | None = 0, **changes: Any) -> dict[str, Any]:
    """Return a mail as Exchange shows it with its sensitivity: 1 personal, 2 private."""
    told = [{"id": "Integer 0xe08", "value": "4096"}]
    if sensitivity is not None:
        told.append({"id": "Integer 0x36", "value": str(sensitivity)})
    return a_message(number, categories=[], singleValueExtendedProperties=told, **changes)


def without(message: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != name}


def verdict(world: World, number: int = 1) -> Verdict:
    found = world.database.read_now(
        lambda c: verdicts.find(c, ANNA_OBJECT, a_message(number)["id"])
    )
    assert found is not None
    return found


async def test_a_private_mail_is_not_copied_and_the_rule_is_kept(world: World) -> None:
    judge_by(world, enforced())
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, marked(1, 2, hasAttachments=True), attachments=[FILE])
    world.exchange.deliver(ANNA_OBJECT, marked(2))

    report = await once(world.sync)

    assert world.subjects() == ["Order 2"]
    assert world.emails.attached == {}
    assert (report.counts["tracked"], report.counts["skipped"]) == (1, 1)
    assert verdict(world) == Verdict(Fate.SKIP, f"Rule {NOT_PRIVATE} says skip.", NOT_PRIVATE)
    assert verdict(world, 2) == Verdict(Fate.TRACK, "incoming mail of the Inbox")
    kept = world.database.read_now(
        lambda c: (
            links.find(c, ANNA_OBJECT, a_message(1)["id"]),
            payloads.find(c, ANNA_OBJECT, a_message(1)["id"]),
        )
    )
    assert kept == (None, None)


async def test_of_a_personal_mail_only_the_metadata_is_copied(world: World) -> None:
    judge_by(world, enforced())
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, marked(1, 1, hasAttachments=True), attachments=[FILE])

    report = await once(world.sync)

    [row] = world.emails.rows.values()
    assert "description" not in row
    assert row["sender"] == "buyer@fabrikam.com"
    assert world.emails.attached == {}
    assert report.is_clean
    assert (verdict(world).fate, verdict(world).rule) == (Fate.METADATA_ONLY, PERSONAL)
    assert link(world).is_metadata_only


async def test_skip_is_stronger_than_metadata_only(world: World) -> None:
    rules = """{id: large, effect: metadata-only, require: [{field: size, equals: 1}], message: m}
    {id: strange, require: [{field: domain, notEquals: fabrikam.com}], message: m}"""
    judge_by(world, a_set(a_policy(rules, entity="message")))
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, marked())

    await once(world.sync)

    assert verdict(world).rule == "one-policy/strange"
    assert world.emails.rows == {}


@pytest.mark.parametrize(("on_error", "subjects"), [("reject", []), ("allow", ["Order 1"])])
async def test_what_cannot_be_judged_is_copied_only_where_the_policy_says_so(
    world: World, on_error: str, subjects: list[str]
) -> None:
    rule = "{id: known-actor, require: [{field: actor.kind, equals: user}], message: m}"
    judge_by(world, a_set(a_policy(rule, entity="message", on_error=on_error)))
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, marked())

    report = await once(world.sync)

    assert world.subjects() == subjects
    # It is set aside and judged again, never forgotten.
    assert report.is_clean is bool(subjects)
    if not subjects:
        [problem] = report.problems
        assert problem.kind == "quarantined"
        assert problem.reason == "Rule one-policy/known-actor could not be evaluated."


async def test_a_reason_quotes_nothing_of_what_stays_in_exchange(world: World) -> None:
    rule = "{id: no-orders, require: [{field: subject, notContains: Order}], message: '{subject}'}"
    judge_by(world, a_set(a_policy(rule, entity="message")))
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, marked())

    await once(world.sync)

    assert "Order" not in json.dumps(verdict(world).reason)


async def test_a_draft_is_skipped_whatever_policies_say(world: World) -> None:
    judge_by(world, enforced())
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, marked(1, 2, isDraft=True))

    await once(world.sync)

    assert verdict(world) == Verdict(Fate.SKIP, "draft")


@pytest.mark.parametrize("mode", ["audit", "warn", "off"])
async def test_a_policy_that_is_not_enforced_costs_and_changes_nothing(
    world: World, mode: str
) -> None:
    judge_by(world, a_set(PRIVATE.replace("mode: audit", f"mode: {mode}")))
    world.approve_anna()
    # Without the extended properties, so that judging it would cost a request.
    world.exchange.deliver(ANNA_OBJECT, a_message())

    report = await once(world.sync)

    assert world.subjects() == ["Order 1"]
    assert report.counts["graph_requests"] == 1
    assert verdict(world).reason == "incoming mail of the Inbox"


class TestWhatAnEntryDoesNotSay:
    async def test_is_read_before_it_is_judged(self, world: World) -> None:
        judge_by(world, enforced())
        world.approve_anna()
        for number, sensitivity in ((1, 2), (2, 0)):
            world.exchange.deliver(ANNA_OBJECT, marked(number, sensitivity))
        page = world.exchange.page

        async def saying_less(*args: Any, **options: Any) -> Any:
            listed = await page(*args, **options)
            return type(listed)(
                tuple({"id": one["id"], "isRead": True} for one in listed.entries),
                listed.next_link,
                listed.delta_link,
            )

        world.exchange.page = saying_less  # type: ignore[method-assign]

        report = await once(world.sync)

        assert world.subjects() == ["Order 2"]
        assert (verdict(world).fate, verdict(world, 2).fate) == (Fate.SKIP, Fate.TRACK)
        # One page, and one reading for each; the row is made from what was read.
        assert report.counts["graph_requests"] == 3
        logged = world.database.read_now(lambda c: access.list_for(c, ANNA_RECORD))
        assert [one.operation for one in logged] == ["mail", "mail", "mails delta"]

    async def test_is_read_though_all_that_a_row_needs_is_there(self, world: World) -> None:
        """Without `ccRecipients` nobody is known to be in copy, and nobody is known not to be."""
        judge_by(world, enforced())
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, marked(ccRecipients=[]))
        world.exchange.deliver(ANNA_OBJECT, without(marked(2), "ccRecipients"))

        report = await once(world.sync)

        assert world.subjects() == ["Order 1", "Order 2"]
        assert report.counts["graph_requests"] == 2

    @pytest.mark.parametrize("first", [0, 2], ids=["harmless-first", "private-first"])
    async def test_is_which_of_two_entries_is_the_newest(self, world: World, first: int) -> None:
        """A page lists a mail twice, and only one of the entries calls it private."""
        judge_by(world, enforced())
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, marked(1, 2))
        page = world.exchange.page

        async def twice(*args: Any, **options: Any) -> Any:
            listed = await page(*args, **options)
            entries = (marked(1, first), marked(1, 2 - first))
            return type(listed)(entries, listed.next_link, listed.delta_link)

        world.exchange.page = twice  # type: ignore[method-assign]

        await once(world.sync)

        assert world.subjects() == []
        assert verdict(world).fate is Fate.SKIP

    async def test_is_no_request_for_a_mail_that_has_its_link(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        await once(world.sync)
        judge_by(world, enforced())
        world.exchange.touch(ANNA_OBJECT, a_message()["id"])

        report = await once(world.sync)

        assert report.counts["graph_requests"] == 1
        assert link(world).state is LinkState.TRACKED

    async def test_is_set_aside_where_the_service_does_not_tell_it_either(
        self, world: World
    ) -> None:
        judge_by(world, enforced())
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())

        [problem] = (await once(world.sync)).problems

        assert world.subjects() == []
        assert problem.reason == f"Rule {NOT_PRIVATE} could not be evaluated."

    async def test_is_judged_anew_when_a_skipped_mail_changes(self, world: World) -> None:
        judge_by(world, enforced())
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, marked() | {"categories": ["Private"]})
        await once(world.sync)
        assert world.subjects() == []

        world.exchange.deliver(ANNA_OBJECT, marked())
        await once(world.sync)

        assert world.subjects() == ["Order 1"]
        assert verdict(world).fate is Fate.TRACK

    async def test_of_a_mail_that_is_gone_by_then_nothing_is_copied(self, world: World) -> None:
        judge_by(world, enforced())
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())

        async def gone(*_: Any, permit: Any) -> None:
            await permit()

        world.exchange.message = gone  # type: ignore[method-assign]

        report = await once(world.sync)

        assert report.is_clean
        assert verdict(world) == Verdict(Fate.SKIP, "gone before it was read")

    async def test_moves_no_cursor_while_the_mailbox_may_not_be_asked(self, world: World) -> None:
        judge_by(world, enforced())
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message() | {"categories": ["Private"]})
        message = world.exchange.message

        async def throttled(*_: Any, permit: Any) -> None:
            await permit()
            world.exchange.message = message  # type: ignore[method-assign]
            raise Throttled("Slow down.", until=world.clock.now())

        world.exchange.message = throttled  # type: ignore[assignment]

        report = await once(world.sync)

        assert report.is_clean
        assert verdict(world).fate is Fate.SKIP


@pytest.mark.parametrize(
    "error",
    [
        RequestRejected("No.", status=400),
        ItemUnreadable("No sense."),
        BadAnswer("Too large."),
        KeyError("bug"),
    ],
    ids=["refused", "unreadable", "bad-answer", "bug"],
)
async def test_an_item_for_which_no_verdict_is_reached_is_set_aside_and_the_others_go_on(
    world: World, error: Exception
) -> None:
    class Failing(MailWorkload):
        def fields(self, content: Content, *, address: str, folder: str) -> Mapping[str, Value]:
            if content["id"] == a_message(1)["id"]:
                raise error
            return super().fields(content, address=address, folder=folder)

    world.mail = Failing
    judge_by(world, enforced())
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, marked(1))
    world.exchange.deliver(ANNA_OBJECT, marked(2))

    report = await once(world.sync)

    assert world.subjects() == ["Order 2"]
    assert [one.kind for one in report.problems] == ["quarantined"]
    [kept] = world.database.read_now(lambda c: quarantine.list_for(c, [ANNA_RECORD]))
    told = error.message if isinstance(error, GuardError) else "No verdict could be reached."
    assert kept.reason == told


async def test_a_policy_set_that_is_swapped_judges_the_next_page(world: World) -> None:
    sets = [a_set(PRIVATE)]
    world.policies = sets[0]
    world.sync = world.another_process(policies=lambda: sets[-1])
    world.approve_anna()
    world.exchange.deliver(ANNA_OBJECT, marked(1, 2))
    await once(world.sync)
    sets.append(enforced())
    world.exchange.deliver(ANNA_OBJECT, marked(2, 2))

    await once(world.sync)

    assert world.subjects() == ["Order 1"]


class TestWhatWaitedToBeWritten:
    """Between its page and its row an item may change, and so may the policies on it."""

    async def set_aside(self, world: World, sensitivity: int) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, marked(1, sensitivity))
        world.emails.refused_subjects.add("Order 1")
        await once(world.sync)
        assert link(world).state is LinkState.SET_ASIDE
        world.emails.refused_subjects.clear()

    def kept_out(self, world: World) -> bool:
        return world.subjects() == [] and link(world).state is LinkState.DROPPED

    async def test_is_kept_out_when_the_mail_was_marked_private_meanwhile(
        self, world: World
    ) -> None:
        judge_by(world, enforced())
        await self.set_aside(world, 0)
        world.exchange.deliver(ANNA_OBJECT, marked(1, 2))

        await once(world.sync)

        assert self.kept_out(world)
        assert (verdict(world).fate, verdict(world).rule) == (Fate.SKIP, NOT_PRIVATE)

    async def test_is_kept_out_when_the_policy_is_enforced_by_now(self, world: World) -> None:
        await self.set_aside(world, 2)
        judge_by(world, enforced())

        await once(world.sync)

        assert self.kept_out(world)

    async def test_is_kept_to_its_metadata_when_that_is_the_policy_by_now(
        self, world: World
    ) -> None:
        await self.set_aside(world, 1)
        judge_by(world, enforced())

        await once(world.sync)

        assert world.subjects() == ["Order 1"]
        [row] = world.emails.rows.values()
        assert row.get("description") is None

    async def test_is_written_when_nothing_speaks_against_it(self, world: World) -> None:
        judge_by(world, enforced())
        await self.set_aside(world, 0)

        await once(world.sync)

        assert world.subjects() == ["Order 1"]
        assert verdict(world).fate is Fate.TRACK
