"""Microsoft's own clients cannot tell the sandbox from the service in the parts it serves."""

from __future__ import annotations

import pytest

from sandbox import people
from sandbox.routes import ROUTES
from sandbox.server import Sandbox
from tests.sandbox import judges, msal_judge
from tests.sandbox.description import complaints

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


async def test_every_route_is_visited_by_a_foreign_judge(sandbox: Sandbox) -> None:
    await judges.all_judges(sandbox)
    visited = {entry.route for entry in sandbox.access_log()}
    assert sorted(str(route) for route in ROUTES if str(route) not in visited) == []


async def test_every_graph_answer_fits_the_description(sandbox: Sandbox) -> None:
    sandbox.accesses.keeps_answers = True
    await judges.graph_directory(sandbox)
    await judges.graph_mail(sandbox)
    checked = 0
    for entry in sandbox.access_log():
        if entry.origin != "graph":
            continue
        found = complaints(entry.method, entry.path, entry.status, entry.answer or b"")
        assert found in (None, []), f"{entry.method} {entry.path}: {found}"
        checked += found is not None
    assert checked >= 25


async def test_msal_reads_the_error_of_a_wrong_secret(sandbox: Sandbox) -> None:
    result = await msal_judge.msal_secret(sandbox, secret="wrong")
    assert result["error"] == "invalid_client"
    assert result["error_codes"] == [7000215]


async def test_msal_reads_the_error_of_a_wrong_password(sandbox: Sandbox) -> None:
    result = await msal_judge.msal_person(sandbox, "anna", password="wrong")
    assert result["error"] == "invalid_grant"


async def test_the_sdk_reads_an_error(sandbox: Sandbox) -> None:
    async with judges.GraphJudge.at(sandbox) as judge:
        builder = judge.client.users.by_user_id(people.BOB.object_id)
        with pytest.raises(judges.SdkError) as caught:
            await builder.messages.by_message_id("none").get()
    assert caught.value.response_status_code == 404
    assert caught.value.error is not None
    assert caught.value.error.code == "ErrorItemNotFound"


async def test_errors_fit_the_description(sandbox: Sandbox, graph) -> None:
    sandbox.accesses.keeps_answers = True
    owner = f"users/{people.BOB.object_id}"
    sandbox.mailbox("bob").forget_sync_state()
    del sandbox.exchange.mailboxes[people.CEO.object_id]
    for path, which in (
        (f"{owner}/messages/none", "sync"),
        (f"{owner}/messages", "guard"),
        ("users/nobody", "sync"),
        (f"users/{people.CEO.object_id}/mailboxSettings", "guard"),
        (f"{owner}/messages?$filter=nonsense", "sync"),
        (f"{owner}/mailFolders/inbox/messages/delta?$deltatoken=x", "sync"),
    ):
        await graph("GET", path, which=which)
        entry = sandbox.access_log()[-1]
        assert entry.status >= 400
        assert complaints("GET", entry.path, entry.status, entry.answer or b"") == []
