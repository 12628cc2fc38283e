"""What is too long, too slow or without a key costs nobody else anything."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from kernel.clock import FrozenClock
from tests.guard.assembled import AReceiver, a_receiver
from tests.guard.builders import body

OWN = {"emailaddress": "ANNA@contoso.com"}


@pytest.fixture
def receiver(clock: FrozenClock) -> AReceiver:
    return a_receiver(clock)


class TestWhatIsLong:
    """What no Dataverse sends is refused while it is read, before anything walks over it."""

    @pytest.mark.parametrize("mode", [0, 1])
    @pytest.mark.parametrize("where", ["target", "before"])
    async def test_a_guarded_column_longer_than_dataverse_allows_is_unreadable(
        self, receiver: AReceiver, mode: int, where: str
    ) -> None:
        long = "a" * 600_000 + "@contoso.com"
        plain = body(OWN, mode=mode)
        parts = json.loads(plain)
        if where == "target":
            pairs = parts["InputParameters"][0]["value"]["Attributes"]
        else:
            pairs = parts["PreEntityImages"][0]["value"]["Attributes"]
        for pair in pairs:
            if pair["key"] == "emailaddress":
                pair["value"] = long
        answer = await receiver.post(json.dumps(parts).encode())
        assert answer.status == 400
        assert "Dataverse allows 100" in answer.body["detail"]
        assert not receiver.ledger.entries
        assert not receiver.directory.asked

    async def test_an_address_of_the_full_length_is_read(self, receiver: AReceiver) -> None:
        address = "a" * (100 - len("@contoso.com")) + "@contoso.com"
        answer = await receiver.post(body({"emailaddress": address}))
        assert answer.status == 403

    async def test_a_long_text_that_nobody_guards_keeps_nobody_from_editing(
        self, receiver: AReceiver
    ) -> None:
        answer = await receiver.post(body({**OWN, "new_notes": "x" * 300_000}))
        assert answer.status == 200
        assert "xxxxx" not in str(receiver.ledger.entries)


class TestWhoHasNoKey:
    @pytest.mark.parametrize("key", ["wrong", "secret-key"])
    async def test_a_body_that_never_begins_is_not_waited_for(
        self, receiver: AReceiver, key: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("guard.webhook.BODY_SECONDS", 0.1)
        monkeypatch.setattr("guard.webhook.STRANGERS_BODY_SECONDS", 0.05)
        sent: list[Any] = []

        async def receive() -> Any:
            await asyncio.sleep(60)

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [(b"x-guard-key", key.encode()), (b"content-length", b"100")]
        scope = {"type": "http", "method": "POST", "query_string": b"", "headers": headers}
        await asyncio.wait_for(receiver.webhook(scope, receive, send), 5)
        assert sent[0]["status"] == 400
        assert (b"connection", b"close") in sent[0]["headers"]

    async def test_only_who_shows_a_key_is_no_stranger(self, receiver: AReceiver) -> None:
        shown: list[str] = []
        for key in ("wrong", "secret-key"):
            scope = {
                "type": "http", "method": "POST", "query_string": b"",
                "headers": [(b"x-guard-key", key.encode())],
                "proven": lambda key=key: shown.append(key),
            }  # fmt: skip

            async def receive() -> Any:
                return {"type": "http.request", "body": body(OWN), "more_body": False}

            async def send(message: Any) -> None:
                pass

            await receiver.webhook(scope, receive, send)
        assert shown == ["secret-key"]
