import asyncio
from datetime import timedelta

import httpx
import pytest

from cloud.call import Call, CallClass
from cloud.errors import (
    CursorLost,
    NotThere,
    Refused,
    RequestRejected,
    Throttled,
    Unknown,
    Unreachable,
)
from kernel.approvals import PERMIT_SECONDS
from kernel.errors import ApprovalWithdrawn, Bug
from kernel.failpoints import Crash, CrashAt, Recorder
from tests.cloud.scripted import (
    AT,
    MAILBOX,
    OTHER_MAILBOX,
    ROW,
    STEP,
    OrderedClock,
    Scripted,
    a_keyed_write,
    a_mail_read,
    a_read,
    a_send,
    no_content,
    ok,
    permitted,
    problem,
)

LOST = httpx.ReadError("the connection broke")
REFUSED_CONNECTION = httpx.ConnectError("nobody listens")


class TestReads:
    async def test_a_read_is_repeated_until_it_succeeds(self) -> None:
        service = Scripted(problem(503), LOST, REFUSED_CONNECTION, problem(500), ok({"id": "u"}))
        answer = await service.transport.send(a_read())
        assert answer.json() == {"id": "u"}
        assert len(service.requests) == 5

    async def test_a_read_gives_up_at_its_deadline_and_says_until_when(self) -> None:
        service = Scripted(problem(502, "UnknownError"))
        with pytest.raises(Unreachable) as raised:
            await service.transport.send(a_read(deadline_seconds=4.0))
        assert service.sent_at == [0.0, 0.5, 1.5, 3.5]
        assert raised.value.until > service.clock.now()
        assert raised.value.status == 502
        assert raised.value.service_code == "UnknownError"
        assert raised.value.transient

    async def test_failed_calls_in_a_row_move_until_further_and_a_success_resets_it(self) -> None:
        service = Scripted(*[problem(502)] * 3, ok(), problem(502))
        waits = []
        for _ in range(5):
            try:
                await service.transport.send(a_read(deadline_seconds=0.3))
            except Unreachable as error:
                waits.append((error.until - service.clock.now()).total_seconds())
        assert waits == [5.0, 10.0, 20.0, 5.0]

    async def test_a_hopeless_service_is_not_hammered_within_a_long_deadline(self) -> None:
        service = Scripted(problem(500))
        with pytest.raises(Unreachable):
            await service.transport.send(a_read(deadline_seconds=86_400))
        assert len(service.requests) == 10

    async def test_an_error_in_the_request_is_not_repeated(self) -> None:
        for status, kind in ((400, RequestRejected), (403, Refused), (404, NotThere)):
            service = Scripted(problem(status, "SomeCode"))
            with pytest.raises(kind) as raised:
                await service.transport.send(a_read())
            assert len(service.requests) == 1
            assert raised.value.service_code == "SomeCode"

    async def test_a_status_that_the_call_accepts_is_an_answer(self) -> None:
        service = Scripted(problem(404))
        answer = await service.transport.send(a_read(accept=frozenset({404})))
        assert answer.status == 404

    async def test_a_dead_cursor_is_told_apart(self) -> None:
        service = Scripted(problem(410, "SyncStateNotFound"))
        with pytest.raises(CursorLost):
            await service.transport.send(a_mail_read(), permit=permitted)


class TestSends:
    @pytest.mark.parametrize("reply", [problem(503), problem(504), problem(500), LOST])
    async def test_a_send_whose_outcome_is_open_is_unknown_and_never_repeated(self, reply) -> None:
        service = Scripted(reply)
        with pytest.raises(Unknown):
            await service.transport.send(a_send(), permit=permitted)
        assert len(service.requests) == 1

    async def test_a_send_that_never_left_is_unreachable(self) -> None:
        service = Scripted(REFUSED_CONNECTION)
        with pytest.raises(Unreachable):
            await service.transport.send(a_send(), permit=permitted)
        assert len(service.requests) == 1

    async def test_a_throttled_send_did_not_happen_and_is_not_repeated(self) -> None:
        service = Scripted(problem(429, "ApplicationThrottled", Retry_After="7"))
        with pytest.raises(Throttled) as raised:
            await service.transport.send(a_send(), permit=permitted)
        assert len(service.requests) == 1
        assert raised.value.until == AT + timedelta(seconds=7)

    async def test_a_send_with_a_refused_token_renews_it_but_leaves_the_repeat_to_its_caller(
        self,
    ) -> None:
        service = Scripted(problem(401), httpx.Response(202))
        with pytest.raises(Unreachable):
            await service.transport.send(a_send(), permit=permitted)
        assert len(service.requests) == 1
        await service.transport.send(a_send(), permit=permitted)
        assert service.requests[1].headers["authorization"] == "Bearer token-1"

    async def test_an_accepted_send_with_a_retry_after_is_done(self) -> None:
        service = Scripted(httpx.Response(202, headers={"Retry-After": "5"}))
        assert (await service.transport.send(a_send(), permit=permitted)).status == 202
        assert len(service.requests) == 1


class TestKeyedWrites:
    async def test_a_keyed_write_is_repeated_after_a_lost_answer(self) -> None:
        service = Scripted(LOST, no_content())
        answer = await service.transport.send(a_keyed_write())
        assert answer.unsure
        assert len(service.requests) == 2

    async def test_a_sure_answer_says_so(self) -> None:
        service = Scripted(REFUSED_CONNECTION, problem(429, Retry_After="1"), no_content())
        assert not (await service.transport.send(a_keyed_write())).unsure

    async def test_a_keyed_write_that_may_have_happened_ends_unknown(self) -> None:
        service = Scripted(LOST, problem(429, Retry_After="3600"))
        with pytest.raises(Unknown) as raised:
            await service.transport.send(a_keyed_write())
        assert raised.value.until >= AT + timedelta(seconds=3600)

    async def test_a_keyed_write_that_surely_did_not_happen_ends_throttled(self) -> None:
        service = Scripted(problem(429, "0x80072322", Retry_After="3600"))
        with pytest.raises(Throttled) as raised:
            await service.transport.send(a_keyed_write())
        assert raised.value.service_code == "0x80072322"

    async def test_a_write_without_a_step_cannot_be_made(self) -> None:
        with pytest.raises(Bug, match="failpoint"):
            Call("PATCH", "https://contoso.crm.example.com/x", call_class=CallClass.KEYED_WRITE)

    async def test_a_write_cannot_pass_for_a_read(self) -> None:
        with pytest.raises(Bug, match="call class"):
            Call("POST", "https://contoso.crm.example.com/x", failpoint=STEP)


class TestThrottling:
    async def test_retry_after_is_a_fence_for_the_other_calls_of_the_mailbox(self) -> None:
        service = Scripted(problem(429, Retry_After="20"), ok())
        with pytest.raises(Throttled):
            await service.transport.send(a_mail_read(deadline_seconds=5), permit=permitted)
        await service.transport.send(a_mail_read(deadline_seconds=60), permit=permitted)
        assert service.sent_at == [0.0, 20.0]

    async def test_a_fence_beyond_the_deadline_costs_no_request(self) -> None:
        service = Scripted(problem(429, Retry_After="20"), ok())
        for _ in range(3):
            with pytest.raises(Throttled) as raised:
                await service.transport.send(a_mail_read(deadline_seconds=5), permit=permitted)
            assert raised.value.until == AT + timedelta(seconds=20)
        assert len(service.requests) == 1

    async def test_another_mailbox_and_the_directory_are_not_fenced(self) -> None:
        service = Scripted(problem(429, Retry_After="20"), ok())
        with pytest.raises(Throttled):
            await service.transport.send(a_mail_read(deadline_seconds=5), permit=permitted)
        await service.transport.send(a_mail_read(OTHER_MAILBOX), permit=permitted)
        await service.transport.send(a_read())
        assert service.sent_at == [0.0, 0.0, 0.0]

    async def test_a_throttled_dataverse_is_left_alone_by_all_and_then_asked_by_the_watch_first(
        self,
    ) -> None:
        throttled = problem(429, "0x80072322", Retry_After="20")
        service = Scripted(throttled, ok(), clock=OrderedClock(AT))
        watch, decision = service.dataverse.apart(), service.dataverse.within(60.0)
        with pytest.raises(Throttled):
            await service.dataverse.within(5.0).get("mailboxes", ROW, select=("name",))
        async with asyncio.TaskGroup() as group:
            asked = [
                group.create_task(one.get("mailboxes", ROW, select=(name,)))
                for name, one in (("ofdecision", decision), ("ofwatch", watch))
            ]
        assert all(one.done() for one in asked)
        assert service.sent_at == [0.0, 20.0, 22.0]
        assert ["ofwatch" in path for path in service.decoded[1:]] == [True, False]

    async def test_retry_after_may_be_a_date(self) -> None:
        service = Scripted(problem(429, Retry_After="Mon, 02 Mar 2026 09:00:12 GMT"), ok())
        await service.transport.send(a_read())
        assert service.sent_at == [0.0, 12.0]

    async def test_a_503_with_retry_after_fences_too(self) -> None:
        service = Scripted(problem(503, Retry_After="9"), ok())
        await service.transport.send(a_read())
        assert service.sent_at == [0.0, 9.0]

    @pytest.mark.parametrize("status", [429, 509])
    async def test_throttling_without_advice_waits_five_seconds(self, status: int) -> None:
        service = Scripted(problem(status), ok())
        await service.transport.send(a_read())
        assert service.sent_at == [0.0, 5.0]

    async def test_too_many_bytes_are_throttling_and_a_write_may_be_sent_again(self) -> None:
        service = Scripted(problem(509, Retry_After="00:00:20"))
        with pytest.raises(Throttled) as raised:
            await service.transport.send(a_mail_read(deadline_seconds=5), permit=permitted)
        assert raised.value.until == AT + timedelta(seconds=20)

    async def test_where_a_service_stumbles_a_reading_of_one_thing_is_soon_given_up(self) -> None:
        service = Scripted(problem(500, "ErrorInternalServerError"))
        with pytest.raises(Unreachable) as raised:
            await service.graph.message(MAILBOX, "AAk1", permit=permitted)
        assert raised.value.status == 500
        assert len(service.requests) == 3

    async def test_three_at_once_for_a_mailbox_and_a_fourth_for_the_urgent(self) -> None:
        gate = asyncio.Event()

        async def hold(request: httpx.Request) -> httpx.Response:
            await gate.wait()
            return ok()

        service = Scripted(hold)
        send = service.transport.send
        ordinary = [asyncio.create_task(send(a_mail_read(), permit=permitted)) for _ in range(6)]
        await _settle()
        assert len(service.requests) == 3
        urgent = [
            asyncio.create_task(send(a_mail_read(urgent=True), permit=permitted)) for _ in range(2)
        ]
        other = asyncio.create_task(send(a_mail_read(OTHER_MAILBOX), permit=permitted))
        await _settle()
        assert len(service.requests) == 5
        gate.set()
        await asyncio.gather(*ordinary, *urgent, other)
        assert len(service.requests) == 9

    async def test_dataverse_says_how_many_at_once(self) -> None:
        gate = asyncio.Event()

        async def hold(request: httpx.Request) -> httpx.Response:
            await gate.wait()
            return no_content()

        service = Scripted(httpx.Response(204, headers={"x-ms-dop-hint": "2"}), hold)
        await service.transport.send(a_keyed_write())
        calls = [asyncio.create_task(service.transport.send(a_keyed_write())) for _ in range(5)]
        await _settle()
        assert len(service.requests) == 3
        gate.set()
        await asyncio.gather(*calls)


class TestPermits:
    async def test_a_mailbox_access_without_a_permit_is_our_own_fault(self) -> None:
        service = Scripted(ok())
        with pytest.raises(Bug, match="permit"):
            await service.transport.send(a_mail_read())
        assert service.requests == []

    async def test_the_permit_is_asked_before_every_attempt(self) -> None:
        asked: list[int] = []

        async def permit() -> None:
            asked.append(len(service.requests))

        service = Scripted(problem(503), LOST, ok())
        await service.transport.send(a_mail_read(), permit=permit)
        assert asked == [0, 1, 2]

    async def test_a_withdrawal_between_attempts_stops_the_call(self) -> None:
        async def permit() -> None:
            if service.requests:
                raise ApprovalWithdrawn("withdrawn")

        service = Scripted(problem(503))
        with pytest.raises(ApprovalWithdrawn):
            await service.transport.send(a_mail_read(), permit=permit)
        assert len(service.requests) == 1

    async def test_a_permit_that_took_too_long_is_asked_again(self) -> None:
        slowness = [PERMIT_SECONDS + 0.1, PERMIT_SECONDS, 0.2]
        asked: list[float] = []

        async def permit() -> None:
            asked.append(service.clock.monotonic() - 1000.0)
            service.clock.advance(slowness.pop(0))

        service = Scripted(ok())
        await service.transport.send(a_mail_read(), permit=permit)
        assert len(asked) == 3
        assert service.sent_at[0] - asked[-1] <= PERMIT_SECONDS

    async def test_the_permit_is_asked_after_every_wait(self) -> None:
        asked: list[float] = []

        async def permit() -> None:
            asked.append(service.clock.monotonic() - 1000.0)

        service = Scripted(problem(429, Retry_After="9"), ok())
        await service.transport.send(a_mail_read(), permit=permit)
        assert asked == [0.0, 9.0] == service.sent_at

    async def test_a_permit_that_is_always_slow_ends_at_the_deadline_without_a_request(
        self,
    ) -> None:
        async def permit() -> None:
            service.clock.advance(2.0)

        service = Scripted(ok())
        with pytest.raises(Unreachable):
            await service.transport.send(a_mail_read(deadline_seconds=10), permit=permit)
        assert service.requests == []

    async def test_a_permit_that_hangs_ends_at_the_deadline_without_a_request(self) -> None:
        async def permit() -> None:
            await asyncio.sleep(60)

        service = Scripted(ok())
        with pytest.raises(Unreachable):
            await service.transport.send(a_mail_read(deadline_seconds=0.05), permit=permit)
        assert service.requests == []

    async def test_the_connection_may_take_no_longer_than_the_permit_lasts(self) -> None:
        async def permit() -> None:
            service.clock.advance(0.4)

        service = Scripted(ok())
        await service.transport.send(a_mail_read(), permit=permit)
        timeout = service.request.extensions["timeout"]
        assert timeout["connect"] == pytest.approx(0.6)
        assert timeout["read"] == pytest.approx(29.6)


class TestWhatIsTold:
    async def test_each_attempt_has_its_own_request_id_and_the_same_user_agent(self) -> None:
        service = Scripted(problem(503), ok())
        await service.transport.send(a_read())
        ids = [request.headers["client-request-id"] for request in service.requests]
        assert len(set(ids)) == 2
        assert {r.headers["user-agent"] for r in service.requests} == {"MailboxGuard/1"}

    async def test_cookies_are_not_kept(self) -> None:
        service = Scripted(ok(None, **{"Set-Cookie": "ARRAffinity=abc; Path=/"}))
        await service.transport.send(a_read())
        await service.transport.send(a_read())
        assert "cookie" not in service.requests[1].headers

    async def test_every_attempt_is_reported_with_its_reason(self) -> None:
        service = Scripted(problem(503), ok(None, **{"request-id": "abc"}))
        await service.transport.send(a_mail_read(reason="read a message"), permit=permitted)
        await service.transport.send(a_read(reason="owner facts"))
        await service.transport.send(a_keyed_write(reason="revert"))
        told = [(a.kind, a.mailbox, a.reason, a.attempt, a.status) for a in service.accesses]
        assert told == [
            ("mailbox", MAILBOX, "read a message", 1, 503),
            ("mailbox", MAILBOX, "read a message", 2, 200),
            ("directory", "", "owner facts", 1, 200),
            ("rows", "", "revert", 1, 200),
        ]
        assert service.accesses[1].request_id == "abc"

    async def test_an_attempt_without_an_answer_is_reported_too(self) -> None:
        service = Scripted(LOST)
        with pytest.raises(Unknown):
            await service.transport.send(a_send(), permit=permitted)
        assert [a.status for a in service.accesses] == [None]

    async def test_an_error_keeps_the_ids_and_a_redacted_excerpt(self) -> None:
        words = "Access for anna@contoso.com with eyJhbGciOiJub25lIn0.eyJhIjoxfQ.sig denied"
        service = Scripted(problem(403, "ErrorAccessDenied", words, request_id="r-1"))
        with pytest.raises(Refused) as raised:
            await service.transport.send(a_read())
        error = raised.value
        assert (error.status, error.request_id) == (403, "r-1")
        assert error.client_request_id == service.request.headers["client-request-id"]
        assert error.excerpt == "Access for [address] with [redacted] denied"


class TestFailpoints:
    async def test_a_write_passes_two_points_per_attempt_and_a_read_none(self) -> None:
        trace = Recorder()
        service = Scripted(problem(503), no_content(), failpoints=trace)
        await service.transport.send(a_keyed_write())
        await service.transport.send(a_read())
        assert trace.reached == [f"{STEP}:before-send", f"{STEP}:after-send"] * 2

    async def test_a_crash_before_the_send_leaves_nothing_sent(self) -> None:
        service = Scripted(no_content(), failpoints=CrashAt(f"{STEP}:before-send"))
        with pytest.raises(Crash):
            await service.transport.send(a_keyed_write())
        assert service.requests == []

    async def test_a_crash_after_the_send_leaves_one_request(self) -> None:
        service = Scripted(no_content(), failpoints=CrashAt(f"{STEP}:after-send"))
        with pytest.raises(Crash):
            await service.transport.send(a_keyed_write())
        assert len(service.requests) == 1


async def _settle() -> None:
    for _ in range(50):
        await asyncio.sleep(0)
