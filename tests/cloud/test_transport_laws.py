"""Whatever a service does, and however slow permits are, the laws of the transport hold."""

import asyncio

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.call import Answer, Call, CallClass
from cloud.errors import CloudError, Throttled, Unknown, Unreachable
from kernel.approvals import PERMIT_SECONDS
from tests.cloud.scripted import (
    Scripted,
    a_keyed_write,
    a_mail_read,
    a_send,
    ok,
    permitted,
    problem,
)

LOST = httpx.ReadError("lost")
NOBODY = httpx.ConnectError("nobody")

replies = st.one_of(
    st.sampled_from([ok(), LOST, NOBODY]),
    st.sampled_from([400, 401, 403, 404, 408, 410, 412, 429, 500, 502, 503, 504]).map(problem),
    st.tuples(st.sampled_from([429, 503]), st.integers(0, 90)).map(
        lambda pair: problem(pair[0], Retry_After=str(pair[1]))
    ),
)
calls = st.sampled_from([a_mail_read, a_keyed_write, a_send])
scripts = st.lists(replies, min_size=1, max_size=8)


class Trial:
    """One call against a script: what happened, and when."""

    def __init__(self, call: Call, script: list, *, slowness: list[float]) -> None:
        self.call = call
        self.service = Scripted(*script)
        self.slowness = slowness
        self.permits: list[float] = []
        self.answer: Answer | None = None
        self.error: CloudError | None = None

    async def permit(self) -> None:
        self.permits.append(self.now)
        self.service.clock.advance(self.slowness.pop() if self.slowness else 0.0)

    @property
    def now(self) -> float:
        return self.service.clock.monotonic() - 1000.0

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        try:
            self.answer = await self.service.transport.send(self.call, permit=self.permit)
        except CloudError as error:
            self.error = error


@settings(max_examples=150, deadline=None)
@given(
    calls,
    scripts,
    st.sampled_from([0.1, 3.0, 30.0, 200.0]),
    st.lists(st.floats(0.0, 2.5), max_size=6),
)
def test_the_laws_hold(make, script, deadline_seconds, slowness) -> None:
    trial = Trial(make(deadline_seconds=deadline_seconds), list(script), slowness=slowness)
    trial.run()
    call, service = trial.call, trial.service
    sent_at = service.sent_at

    # One place waits, and never beyond the deadline; a slow permit may overrun it, unused.
    assert trial.now <= deadline_seconds + 2.5
    assert all(at < deadline_seconds for at in sent_at)
    if call.call_class is CallClass.SEND:
        assert len(sent_at) <= 1

    # Every attempt follows a permit of its own that is not older than a permit may be.
    assert len(trial.permits) >= len(sent_at)
    for at in sent_at:
        latest = max(asked for asked in trial.permits if asked <= at)
        assert at - latest <= PERMIT_SECONDS + TINY

    # Nothing passes a fence.
    for at, later, reply in zip(sent_at, sent_at[1:], script, strict=False):
        if isinstance(reply, httpx.Response) and "retry-after" in reply.headers:
            assert later - at >= float(reply.headers["retry-after"]) - TINY

    # The outcome says what may have happened, and until when to stay away.
    if isinstance(trial.error, Throttled | Unreachable | Unknown):
        assert trial.error.until >= service.clock.now()
    used = [*script, *([script[-1]] * 20)][: len(sent_at)]
    open_ones = [r for r in used if r is LOST or getattr(r, "status_code", 0) in OPEN]
    is_write = call.call_class is not CallClass.READ
    if isinstance(trial.error, Throttled | Unreachable):
        assert not (is_write and open_ones)
    if isinstance(trial.error, Unknown):
        assert is_write
        assert open_ones


TINY = 1e-6  # Floating seconds do not add up exactly.
OPEN = {408, 500, 502, 503, 504}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=1, max_size=30))
def test_never_more_at_once_than_the_mailbox_bears(plan) -> None:
    at_once = [0, 0]

    async def hold(request: httpx.Request) -> httpx.Response:
        at_once[0] += 1
        at_once[1] = max(at_once)
        for _ in range(3):
            await asyncio.sleep(0)
        at_once[0] -= 1
        return ok()

    async def run() -> None:
        service = Scripted(hold)

        async def one(urgent: bool, begins_after: int) -> None:
            for _ in range(begins_after):
                await asyncio.sleep(0)
            await service.transport.send(a_mail_read(urgent=urgent), permit=permitted)

        await asyncio.gather(*(one(urgent, after) for urgent, after in plan))

    asyncio.run(run())
    has_urgent = any(urgent for urgent, _ in plan)
    assert at_once[1] <= (4 if has_urgent else 3)
    assert at_once[0] == 0
