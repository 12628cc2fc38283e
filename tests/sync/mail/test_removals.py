"""What leaves a folder is verified before it is believed, and a lost cursor loses nothing."""

from __future__ import annotations

from typing import Any

from kernel import tasks
from kernel.brake import LEAST
from sync.model.link import ItemPlace, LinkState
from sync.operate.mailboxes import resume, withdraw
from sync.run.once import once
from sync.store import links
from tests.sync.builders import ANNA_OBJECT, ANNA_RECORD, OPERATOR, World, a_message, link, state


class TestRemovals:
    async def test_a_deleted_mail_keeps_its_row(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        await once(world.sync)
        world.exchange.delete(ANNA_OBJECT, a_message()["id"])

        report = await once(world.sync)

        assert world.subjects() == ["Order 1"]
        assert link(world).place is ItemPlace.GONE
        assert report.counts["removed"] == 1
        assert report.is_clean

    async def test_a_moved_mail_is_not_gone_and_may_come_back(self, world: World) -> None:
        world.approve_anna()
        world.exchange.deliver(ANNA_OBJECT, a_message())
        await once(world.sync)
        world.exchange.move(ANNA_OBJECT, a_message()["id"], "archive-id")

        report = await once(world.sync)
        assert report.counts["removed"] == 0
        assert link(world).place is ItemPlace.ELSEWHERE

        world.exchange.move(ANNA_OBJECT, a_message()["id"], "inbox-folder-id")
        await once(world.sync)
        assert link(world).place is ItemPlace.HERE
        assert len(world.emails.rows) == 1

    async def test_too_many_at_once_stop_and_ask_a_person(self, world: World) -> None:
        world.approve_anna()
        for number in range(30):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        await once(world.sync)
        for number in range(30):
            world.exchange.delete(ANNA_OBJECT, a_message(number)["id"])

        report = await once(world.sync)

        assert report.counts["removed"] == 20
        # One cause is told once.
        [problem] = report.problems
        assert problem.count == 10
        assert len(world.emails.rows) == 30

    async def test_a_mail_that_is_gone_before_it_is_read_is_dropped(self, world: World) -> None:
        world.approve_anna()
        message = a_message()
        del message["body"]  # Then the page alone is not enough, and the mail is read apart.
        world.exchange.deliver(ANNA_OBJECT, message)
        item_id = message["id"]

        class Gone:
            def __getattr__(self, name: str) -> Any:
                return getattr(world.exchange, name)

            async def message(self, *_: Any, permit: Any) -> None:
                await permit()

        other = World(world.database, world.clock)
        other.exchange, other.emails = Gone(), world.emails  # type: ignore[assignment]
        report = await once(other.another_process())

        assert world.emails.rows == {}
        found = world.database.read_now(lambda c: links.find(c, ANNA_OBJECT, item_id))
        assert found is not None
        assert found.state is LinkState.DROPPED
        assert report.is_clean


class TestTooManyAtOnce:
    async def test_they_go_to_a_person_whose_word_is_about_exactly_these(
        self, world: World
    ) -> None:
        world.approve_anna()
        many = LEAST + 5
        for number in range(many):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        await once(world.sync)
        for number in range(many):
            world.exchange.delete(ANNA_OBJECT, a_message(number)["id"])

        report = await once(world.sync)

        # Those that are verified at once may pass before the others have been written down.
        stopped = many - report.counts["removed"]
        assert stopped >= 5
        assert state(world)[0] == "brake"
        assert {one.reason for one in report.problems} == {
            "Too many mails of this folder are gone at once."
        }
        # To try again everything is not a word about them.
        assert (await once(world.sync)).counts["removed"] == 0

        await resume(world.database, world.clock, ANNA_RECORD, by=OPERATOR)
        report = await once(world.sync)
        assert report.is_clean
        assert report.counts["removed"] == stopped
        assert state(world) == ("synced", "")

    async def remove_forty(self, world: World) -> None:
        world.approve_anna()
        for number in range(40):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        await once(world.sync)
        for number in range(40):
            world.exchange.delete(ANNA_OBJECT, a_message(number)["id"])
        assert not (await once(world.sync)).is_clean
        assert state(world)[0] == "brake"

    async def test_a_new_approval_neither_loses_nor_hides_them(self, world: World) -> None:
        await self.remove_forty(world)
        await withdraw(world.database, world.clock, ANNA_RECORD, by="anna", reason="a test")
        world.clock.advance(7200)
        world.approve_anna()

        report = await once(world.sync)

        open_states = ("queued", "running", "needs-person")
        assert not [one for one in tasks_of(world) if one.state in open_states]
        assert report.is_clean
        assert state(world) == ("synced", "")
        assert all(link(world, number).place is ItemPlace.GONE for number in range(40))

    async def test_a_brake_that_holds_still_is_said_under_the_next_approval(
        self, world: World
    ) -> None:
        await self.remove_forty(world)
        await withdraw(world.database, world.clock, ANNA_RECORD, by="anna", reason="a test")
        world.approve_anna()

        assert not (await once(world.sync)).is_clean
        assert state(world)[0] == "brake"
        await resume(world.database, world.clock, ANNA_RECORD, by=OPERATOR)
        assert (await once(world.sync)).is_clean
        assert state(world) == ("synced", "")

    async def test_what_a_full_round_does_not_list_is_looked_at_once_a_person_lets_it(
        self, world: World
    ) -> None:
        world.approve_anna()
        for number in range(60):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        await once(world.sync)
        world.exchange.lose_cursors()
        for number in range(40):
            world.exchange.delete(ANNA_OBJECT, a_message(number)["id"])
        assert not (await once(world.sync)).is_clean
        assert state(world)[0] == "brake"

        await resume(world.database, world.clock, ANNA_RECORD, by=OPERATOR)
        report = await once(world.sync)

        assert report.is_clean
        assert report.counts["removed"] == 40
        assert state(world) == ("synced", "")


def tasks_of(world: World) -> list[tasks.Task]:
    return world.database.read_now(lambda c: tasks.list_for(c, ANNA_RECORD))


class TestLostCursors:
    async def test_a_full_round_keeps_the_links_and_makes_nothing_twice(self, world: World) -> None:
        world.approve_anna()
        for number in range(25):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        await once(world.sync)
        world.exchange.lose_cursors()
        world.exchange.deliver(ANNA_OBJECT, a_message(25))

        report = await once(world.sync)

        assert len(world.emails.rows) == 26
        assert world.emails.requests["create_email"] == 26
        assert report.counts["created"] == 1
        assert report.is_clean

    async def test_what_a_full_round_does_not_list_is_verified(self, world: World) -> None:
        world.approve_anna()
        for number in range(5):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        await once(world.sync)
        world.exchange.lose_cursors()
        world.exchange.delete(ANNA_OBJECT, a_message(3)["id"])

        report = await once(world.sync)

        assert link(world, 3).place is ItemPlace.GONE
        assert report.counts["removed"] == 1

    async def test_an_emptied_folder_pulls_the_brake(self, world: World) -> None:
        world.approve_anna()
        for number in range(5):
            world.exchange.deliver(ANNA_OBJECT, a_message(number))
        await once(world.sync)
        world.exchange.lose_cursors()
        for number in range(5):
            world.exchange.delete(ANNA_OBJECT, a_message(number)["id"])

        report = await once(world.sync)

        assert state(world)[0] == "brake"
        assert report.counts["removed"] == 0
        assert not report.is_clean

        await resume(world.database, world.clock, ANNA_RECORD, by=OPERATOR)
        assert (await once(world.sync)).is_clean
        assert state(world) == ("synced", "")
        assert len(world.emails.rows) == 5
