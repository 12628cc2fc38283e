"""The documentation's own examples, asked of the sandbox: nothing that they show is missing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox import people
from sandbox.directory import Group

_FOLDER = Path(__file__).parents[1] / "data" / "graph-examples"
OWNER = f"users/{people.BOB.object_id}"


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((_FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return found


def missing(documented: Any, present: Any, path: str = "") -> list[str]:
    """Name what the example shows and the answer lacks; lists are compared by their first item."""
    if isinstance(documented, list):
        if not documented:
            return []
        return missing(documented[0], present[0], f"{path}[]") if present else [f"{path}[]"]
    if not isinstance(documented, dict):
        return []
    if not isinstance(present, dict):
        return [path]
    found = [f"{path}/{name}" for name in documented if name not in present]
    for name in documented.keys() & present.keys():
        if present[name] is not None:
            found += missing(documented[name], present[name], f"{path}/{name}")
    return found


@pytest.fixture
async def message_id(graph) -> str:
    wanted = {"$filter": "hasAttachments eq true", "$top": "1"}
    answer = await graph("GET", f"{OWNER}/messages", params=wanted)
    return str(answer.json()["value"][0]["id"])


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("message-get-01", "{owner}/messages/{message}"),
        ("message-list-attachments-01", "{owner}/messages/{message}/attachments"),
        (
            "delta-query-messages-01",
            "{owner}/mailfolders/inbox/messages/delta?$select=subject,sender,isRead",
        ),
        ("mailfolder-delta-01", "{owner}/mailFolders/delta"),
        ("directoryrole-list-01", "directoryRoles"),
        ("user-list-transitivememberof-01", "users/{anna}/transitiveMemberOf"),
        ("user-get-mailboxsettings-01", "users/{anna}/mailboxSettings"),
    ],
)
async def test_reading(name, path, sandbox, graph, message_id) -> None:
    sandbox.directory.groups["g"] = Group("g", "All Contoso")
    sandbox.person("anna").group_ids.add("g")
    documented = example(name)
    path = path.format(owner=OWNER, message=message_id, anna=people.ANNA.object_id)
    which = "guard" if "irectory" in path or "Member" in path else "sync"
    answer = await graph("GET", path, which=which, headers=documented["request"]["headers"])
    assert answer.status_code == documented["response"]["status"]
    # The set of folders is small: its round ends at once.
    lacking = missing(documented["response"]["body"], answer.json())
    assert [one for one in lacking if name != "mailfolder-delta-01" or "nextLink" not in one] == []


async def test_an_attachment(graph, message_id) -> None:
    path = f"{OWNER}/messages/{message_id}/attachments"
    first = (await graph("GET", path)).json()["value"][0]
    answer = await graph("GET", f"{path}/{first['id']}")
    assert missing(example("attachment-get-01")["response"]["body"], answer.json()) == []


async def test_a_draft_with_headers_of_its_own(graph) -> None:
    documented = example("user-post-messages-02")
    answer = await graph("POST", f"{OWNER}/messages", json=documented["request"]["body"])
    assert answer.status_code == 201
    assert missing(documented["response"]["body"], answer.json()) == []


async def test_a_move(graph, message_id) -> None:
    documented = example("message-move-01")
    path = f"{OWNER}/messages/{message_id}/move"
    answer = await graph("POST", path, json=documented["request"]["body"])
    assert answer.status_code == 201
    lacking = missing(documented["response"]["body"], answer.json())
    assert [one for one in lacking if one != "/@odata.type"] == []


async def test_a_removal(sandbox, graph) -> None:
    documented = example("delta-query-messages-03")["response"]["body"]["value"][0]
    headers = {"Prefer": "odata.maxpagesize=50"}
    link = f"{OWNER}/mailFolders/inbox/messages/delta"
    first = (await graph("GET", link, headers=headers)).json()
    mailbox = sandbox.mailbox("bob")
    mailbox.delete(mailbox.item(first["value"][0]["id"]))
    told = (await graph("GET", first["@odata.deltaLink"], headers=headers)).json()["value"][0]
    assert set(told) == set(documented)
    assert told["@removed"] == documented["@removed"]
