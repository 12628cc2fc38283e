"""Whoever comes is known or sent to sign in; every answer is closed; an error is a page."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from console.sign_in.link import HOLDER
from console.sign_in.sessions import IDLE, ROLES_COUNT_FOR
from console.web.page import Act, ConsolePage, Onward, PageVisit, Shown, View
from kernel.clock import FrozenClock
from kernel.errors import NotFound
from kernel.principal import AppRole
from tests.console.web.conftest import APPROVER, OPERATOR, READER, Console, proof_in


async def fail(visit: PageVisit) -> Shown:
    raise RuntimeError("secret of the house")


async def miss(visit: PageVisit) -> Shown:
    raise NotFound("There is no <b>such</b> thing.", hint="Look elsewhere.")


async def plain(visit: PageVisit) -> Shown:
    return Shown("link.html", {"secret": "<script>alert(1)</script>"})


class Recorded:
    """What an act was given."""

    def __init__(self) -> None:
        self.visits: list[PageVisit] = []

    async def do(self, visit: PageVisit) -> Onward:
        visit.written("reason", most=20)
        self.visits.append(visit)
        return Onward("/plain", "done")


@pytest.fixture
def recorded() -> Recorded:
    return Recorded()


@pytest.fixture
def trial(open_console: Callable[..., Console], recorded: Recorded) -> Console:
    page = ConsolePage(
        "Plain",
        "/plain",
        views=(View("/plain", plain), View("/fail", fail), View("/miss", miss)),
        acts=(
            Act("/act", recorded.do, AppRole.OPERATOR),
            Act("/give", recorded.do, AppRole.OPERATOR, gives=True),
        ),
        said={"done": "It is done."},
    )
    return open_console((page,))


async def test_whoever_is_not_known_is_sent_to_sign_in(trial: Console) -> None:
    async with trial.stranger() as client:
        answer = await client.get("/plain?a=b")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/sign-in?next=/plain%3Fa%3Db"
        assert (await client.get("/sign-in?next=/plain")).status_code == 200


async def test_every_answer_is_closed_and_not_kept(trial: Console) -> None:
    async with await trial.visitor() as client:
        for path in ("/plain", "/fail", "/miss", "/nowhere", "/sign-in", "/static/nothing"):
            answer = await client.get(path)
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
            assert "unsafe" not in answer.headers["content-security-policy"]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["x-frame-options"] == "DENY"
            assert answer.headers["cache-control"] == "no-store"
        style = await client.get("/static/console.css")
        assert "immutable" in style.headers["cache-control"]


async def test_markup_in_a_value_stays_text(trial: Console) -> None:
    async with await trial.visitor() as client:
        page = (await client.get("/plain")).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert" in page
        assert "no &lt;b&gt;such" in (await client.get("/miss")).text


async def test_an_error_is_a_page_without_a_trace(trial: Console) -> None:
    async with await trial.visitor() as client:
        missing, failed = await client.get("/miss"), await client.get("/fail")
        assert (missing.status_code, failed.status_code) == (404, 500)
        assert "Look elsewhere." in missing.text
        assert "secret of the house" not in failed.text
        assert "Traceback" not in failed.text
        assert (await client.get("/nowhere")).status_code == 404


async def test_an_act_takes_a_proof_of_this_session(trial: Console, recorded: Recorded) -> None:
    async with await trial.visitor() as client, await trial.visitor() as other:
        proof = proof_in((await client.get("/plain")).text)
        theirs = proof_in((await other.get("/plain")).text)
        for wrong in ("", "0" * 64, theirs):
            answer = await client.post("/act", data={"proof": wrong, "reason": "Because."})
            assert answer.status_code == 403
        assert recorded.visits == []
        answer = await client.post("/act", data={"proof": proof, "reason": " Because. "})
        assert (answer.status_code, answer.headers["location"]) == (303, "/plain?said=done")
        (visit,) = recorded.visits
        assert visit.principal == OPERATOR
        assert visit.written("reason") == "Because."
        assert "It is done." in (await client.get("/plain?said=done")).text
        assert 'class="said"' not in (await client.get("/plain?said=anything")).text


async def test_a_form_from_another_site_is_refused(trial: Console, recorded: Recorded) -> None:
    async with await trial.visitor() as client:
        form = {"proof": proof_in((await client.get("/plain")).text), "reason": "Because."}
        for site in ("cross-site", "same-site"):
            answer = await client.post("/act", data=form, headers={"sec-fetch-site": site})
            assert answer.status_code == 403
        assert recorded.visits == []


@pytest.mark.parametrize("reason", ["", "   ", "x" * 21])
async def test_an_act_without_a_reason_does_nothing(
    trial: Console, recorded: Recorded, reason: str
) -> None:
    async with await trial.visitor() as client:
        form = {"proof": proof_in((await client.get("/plain")).text), "reason": reason}
        assert (await client.post("/act", data=form)).status_code == 400
        assert recorded.visits == []


async def test_an_act_takes_its_role(trial: Console, recorded: Recorded) -> None:
    for principal, path, status in (
        (READER, "/act", 403),
        (APPROVER, "/act", 403),
        (HOLDER, "/act", 303),
        (HOLDER, "/give", 403),
        (OPERATOR, "/give", 303),
    ):
        async with await trial.visitor(principal) as client:
            form = {"proof": proof_in((await client.get("/plain")).text), "reason": "Because."}
            assert (await client.post(path, data=form)).status_code == status
    assert len(recorded.visits) == 2


@pytest.mark.parametrize(
    "options",
    [
        {"content": b"{}", "headers": {"content-type": "application/json"}},
        {"content": b"a=" + b"b" * 70_000, "headers": {"content-type": "x"}},
        {"data": {"a": "b" * 70_000}},
        {"data": {str(number): "" for number in range(300)}},
    ],
    ids=["json", "unknown", "large", "many"],
)
async def test_what_is_no_form_of_ours_is_refused(
    trial: Console, recorded: Recorded, options: dict[str, object]
) -> None:
    async with await trial.visitor() as client:
        assert (await client.post("/act", **options)).status_code == 400  # type: ignore[arg-type]


async def test_a_session_that_is_over_is_nobodys(trial: Console, clock: FrozenClock) -> None:
    async with await trial.visitor() as client:
        form = {"proof": proof_in((await client.get("/plain")).text), "reason": "Because."}
        clock.advance(IDLE.total_seconds())
        assert (await client.get("/plain")).status_code == 303
        assert (await client.post("/act", data=form)).status_code == 401


async def test_roles_that_entra_told_long_ago_count_no_more(
    trial: Console, clock: FrozenClock
) -> None:
    async with await trial.visitor() as client, await trial.visitor(HOLDER) as holder:
        for _ in range(4):
            clock.advance(ROLES_COUNT_FOR.total_seconds() / 4)
            answer, theirs = await client.get("/plain"), await holder.get("/plain")
        assert (answer.status_code, theirs.status_code) == (303, 200)


async def test_signing_out_ends_the_session(trial: Console) -> None:
    async with await trial.visitor() as client:
        proof = proof_in((await client.get("/plain")).text)
        assert (await client.post("/sign-out", data={"proof": "0" * 64})).status_code == 403
        cookie = client.cookies.get("mailbox-guard")
        answer = await client.post("/sign-out", data={"proof": proof})
        assert answer.headers["location"] == "/sign-in?out"
        assert "Max-Age=0" in answer.headers["set-cookie"]
        client.cookies.set("mailbox-guard", cookie or "", domain="127.0.0.1")
        assert (await client.get("/plain")).status_code == 303


async def test_the_link_opens_once_on_this_machine(trial: Console) -> None:
    link = trial.authentication.link
    assert link is not None
    path = link.make()
    secret = path.rpartition("/")[2]
    async with trial.stranger(host="10.0.0.7") as far:
        assert (await far.post("/link", data={"secret": secret})).status_code == 403
    async with trial.stranger() as client:
        assert (await client.get(path)).status_code == 200
        assert (await client.get(path)).status_code == 200
        answer = await client.post("/link", data={"secret": secret})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert (await client.get("/plain")).status_code == 200
    async with trial.stranger() as client:
        assert (await client.post("/link", data={"secret": secret})).status_code == 403


async def test_guesses_at_the_link_are_counted(trial: Console) -> None:
    async with trial.stranger() as client:
        answers = [(await client.post("/link", data={"secret": "x"})) for _ in range(25)]
    assert {answer.status_code for answer in answers} == {403, 429}


@pytest.mark.parametrize("host", ["guard.fabrikam.com", "127.0.0.1.fabrikam.com", "", "[::"])
async def test_under_another_name_nothing_is_shown(trial: Console, host: str) -> None:
    async with await trial.visitor() as client:
        assert (await client.get("/plain", headers={"host": host})).status_code == 421


async def test_the_console_answers_under_its_address_alone(
    open_console: Callable[..., Console],
) -> None:
    console = open_console(MAILBOX_GUARD_CONSOLE_URL="https://guard.contoso.com")
    async with console.stranger() as client:
        assert (await client.get("/sign-in")).status_code == 421
        answer = await client.get("/sign-in", headers={"host": "guard.contoso.com"})
        assert answer.status_code == 200
        assert "max-age" in answer.headers["strict-transport-security"]


async def test_whoever_is_known_is_no_stranger(trial: Console) -> None:
    proven: list[bool] = []

    async def with_proof(scope, receive, send) -> None:
        await trial.app({**scope, "proven": lambda: proven.append(True)}, receive, send)

    async with await trial.visitor() as known, trial.stranger() as unknown:
        for client in (unknown, known):
            transport = httpx.ASGITransport(app=with_proof)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1:8080", cookies=client.cookies
            ) as through:
                await through.get("/plain")
    assert proven == [True]
