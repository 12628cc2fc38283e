"""Delta rounds: complete, in pages, told again, and failing in every way seen live."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sandbox import people
from sandbox.server import Sandbox

OWNER = people.BOB
INBOX = f"users/{OWNER.object_id}/mailFolders/inbox/messages/delta"
IMMUTABLE = {"Prefer": 'IdType="ImmutableId", odata.maxpagesize=7'}


async def whole_round(
    graph: Callable[..., Any], link: str = INBOX, headers: dict[str, str] = IMMUTABLE
) -> tuple[list[dict[str, Any]], str, int]:
    """Follow the links to the end; return items, delta link and number of pages."""
    items: list[dict[str, Any]] = []
    pages = 0
    while True:
        answer = await graph("GET", link, headers=headers)
        assert answer.status_code == 200, answer.text
        body, pages = answer.json(), pages + 1
        items += body["value"]
        assert ("@odata.nextLink" in body) != ("@odata.deltaLink" in body)
        if "@odata.deltaLink" in body:
            return items, body["@odata.deltaLink"], pages
        link = body["@odata.nextLink"]


async def test_a_first_round_tells_the_folder_in_pages(graph) -> None:
    items, link, pages = await whole_round(graph)
    assert (len(items), pages) == (30, 5)
    assert len({one["id"] for one in items}) == 30
    assert all("internetMessageHeaders" not in one for one in items)
    assert "mailFolders('" in link
    assert (await whole_round(graph, link))[0] == []


@pytest.mark.parametrize(
    "spelling", ["delta", "delta()", "microsoft.graph.delta", "microsoft.graph.delta()"]
)
async def test_the_four_spellings_are_one_operation(spelling, graph) -> None:
    path = f"USERS('{OWNER.object_id}')/mailfolders('Inbox')/Messages/{spelling}"
    answer = await graph("GET", f"{path}?%24select=subject", headers=IMMUTABLE)
    assert answer.status_code == 200
    assert set(answer.json()["value"][0]) == {"@odata.type", "@odata.etag", "id", "subject"}
    assert 'IdType="ImmutableId"' in answer.headers["preference-applied"]


async def test_what_the_first_request_expands_comes_with_every_page_of_the_stream(
    sandbox: Sandbox, graph
) -> None:
    wanted = "singleValueExtendedProperties($filter=id eq 'Integer 0x36' or id eq 'Integer 0xe08')"
    path = (
        f"users/{OWNER.object_id}/mailFolders/inbox/messages/delta?$select=subject&$expand={wanted}"
    )
    items, link, _ = await whole_round(graph, path)
    sandbox.deliver_mail(OWNER.alias, subject="Secret", headers={"Sensitivity": "Private"})
    told, _, _ = await whole_round(graph, link)

    def sensitivity(item: dict[str, Any]) -> str:
        shown = {one["id"]: one["value"] for one in item["singleValueExtendedProperties"]}
        assert int(shown["Integer 0xe08"]) > 0
        return shown["Integer 0x36"]

    assert {sensitivity(one) for one in items} == {"0"}
    assert [sensitivity(one) for one in told] == ["2"]


async def test_changes_arrive_once_each_in_the_next_round(sandbox: Sandbox, graph) -> None:
    items, link, _ = await whole_round(graph)
    new = sandbox.deliver_mail(OWNER.alias, subject="New", text="Words")
    mailbox = sandbox.mailbox(OWNER.alias)
    moved, deleted, read = (mailbox.items[one["id"]] for one in items[:3])
    archive = mailbox.folder("archive")
    assert archive is not None
    mailbox.move(moved, archive.id, sandbox.clock.now())
    mailbox.delete(deleted)
    read.properties["isRead"] = True
    mailbox.changed(read, sandbox.clock.now())
    told, link, _ = await whole_round(graph, link)
    kinds = {one["id"]: one.get("@removed", {}).get("reason") for one in told}
    assert kinds == {
        new.immutable_id: None,
        read.immutable_id: None,
        moved.immutable_id: "deleted",
        deleted.immutable_id: "deleted",
    }
    assert (await whole_round(graph, link))[0] == []


async def test_mutable_ids_change_with_a_move(sandbox, graph) -> None:
    plain = {"Prefer": "odata.maxpagesize=50"}
    items, link, _ = await whole_round(graph, headers=plain)
    mailbox = sandbox.mailbox(OWNER.alias)
    message = mailbox.item(items[0]["id"])
    mailbox.move(message, mailbox.folder("archive").id, sandbox.clock.now())
    told, _, _ = await whole_round(graph, link, plain)
    assert [one["id"] for one in told] == [items[0]["id"]]
    gone = await graph("GET", f"users/{OWNER.object_id}/messages/{items[0]['id']}")
    assert (gone.status_code, gone.json()["error"]["code"]) == (404, "ErrorItemNotFound")


async def test_a_change_type_restricts_later_rounds(sandbox, graph) -> None:
    items, link, _ = await whole_round(graph, f"{INBOX}?changeType=deleted")
    assert len(items) == 30
    sandbox.deliver_mail(OWNER.alias, subject="New")
    mailbox = sandbox.mailbox(OWNER.alias)
    mailbox.delete(mailbox.items[items[0]["id"]])
    told, _, _ = await whole_round(graph, link)
    assert [one["id"] for one in told] == [items[0]["id"]]


async def test_lost_sync_state_is_410_with_the_way_back(sandbox, graph) -> None:
    _, link, _ = await whole_round(graph)
    sandbox.mailbox(OWNER.alias).forget_sync_state()
    answer = await graph("GET", link, headers=IMMUTABLE)
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "SyncStateNotFound")
    items, _, _ = await whole_round(graph, answer.headers["location"])
    assert len(items) == 30


async def test_sync_state_can_be_lost_in_the_middle_of_a_round(sandbox, graph) -> None:
    sandbox.stream_faults(OWNER.alias).lose_sync_state_mid_round = 1
    first = (await graph("GET", INBOX, headers=IMMUTABLE)).json()
    answer = await graph("GET", first["@odata.nextLink"], headers=IMMUTABLE)
    assert answer.status_code == 410


async def test_a_link_of_the_other_id_format_is_refused(graph) -> None:
    _, link, _ = await whole_round(graph)
    answer = await graph("GET", link)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "SyncStateInvalid")


async def test_a_damaged_link_is_refused(graph) -> None:
    _, link, _ = await whole_round(graph)
    answer = await graph("GET", link[:-3] + "AAA", headers=IMMUTABLE)
    assert answer.json()["error"]["message"] == "Badly formed token."


async def test_disorder_and_repeats_change_nothing_in_the_end(sandbox, graph) -> None:
    straight, _, _ = await whole_round(graph)
    faults = sandbox.stream_faults(OWNER.alias)
    faults.repeat_items = faults.shuffle = faults.empty_page_first = True
    first = (await graph("GET", INBOX, headers=IMMUTABLE)).json()
    assert first["value"] == []
    told, _, _ = await whole_round(graph)
    assert len(told) > 30
    assert {one["id"] for one in told} == {one["id"] for one in straight}


async def test_an_item_moved_there_and_back_can_stay_missing(sandbox, graph) -> None:
    items, link, _ = await whole_round(graph)
    sandbox.stream_faults(OWNER.alias).lose_items_moved_back = True
    mailbox, now = sandbox.mailbox(OWNER.alias), sandbox.clock.now()
    message = mailbox.items[items[0]["id"]]
    mailbox.move(message, mailbox.folder("archive").id, now)
    mailbox.move(message, mailbox.folder("inbox").id, now)
    told, _, _ = await whole_round(graph, link)
    assert [one["@removed"] for one in told] == [{"reason": "deleted"}]
    still = await graph("GET", f"users/{OWNER.object_id}/messages/{items[0]['id']}")
    assert still.json()["parentFolderId"] == mailbox.folder("inbox").id


async def test_updates_may_tell_only_what_changed(sandbox, graph) -> None:
    items, link, _ = await whole_round(graph)
    sandbox.stream_faults(OWNER.alias).partial_updates = True
    mailbox = sandbox.mailbox(OWNER.alias)
    mailbox.changed(mailbox.items[items[0]["id"]], sandbox.clock.now())
    told, _, _ = await whole_round(graph, link)
    assert "subject" not in told[0]


async def test_only_the_documented_filter_is_taken(graph) -> None:
    wrong = await graph("GET", f"{INBOX}?$filter=isRead eq true")
    assert wrong.status_code == 400
    items, _, _ = await whole_round(
        graph, f"{INBOX}?$filter=receivedDateTime ge 2099-01-01T00:00:00Z"
    )
    assert items == []
