"""`serve` as a process: what it answers, what it notices, how it ends."""

from __future__ import annotations

import json
import re
import signal
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.end_to_end.processes import PATIENCE_SECONDS, Processes, Running, processes
from tests.webhook_examples.examples import all_examples, tenant

pytestmark = pytest.mark.slow
KEY = tenant()["webhook_key"]
OLDER_KEY = "an-older-key-of-contoso-0b7d52e94c81fa36"
EXAMPLE = next(one for one in all_examples() if one.expected.status == 403)
LIMIT = 1 << 20
NOTHING_MOVES = """\
apiVersion: guard/v1
kind: Policy
name: nothing-moves
title: No address changes
mode: enforce
match:
  entity: mailbox
rules:
  - id: address-stays
    require:
      - field: address
        changed: false
    message: Addresses stay.
"""


def spoil(folder: Path, name: str, before: str, after: str) -> None:
    path = next(folder.rglob(name))
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")


def status_and_head(url: str, head: str, body: bytes = b"") -> tuple[int, bytes]:
    """Send a request as bytes, not all of a body perhaps, and return what came back."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as wire:
        wire.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
        answer = wire.recv(65536)
    return int(answer.split()[1]), answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One server for all answers: none depends on what was answered before."""
    folder = tmp_path_factory.mktemp("answers")
    with processes(folder, webhook_keys=f"{OLDER_KEY},{KEY}") as group:
        yield group.serve("--no-sync")


class TestAnswers:
    """What goes over the wire, in the order size, key, readability."""

    def test_a_body_over_the_limit_is_refused_before_it_is_sent(self, server: Running) -> None:
        head = "POST /webhooks/dataverse HTTP/1.1\nhost: guard\ncontent-length: 1048577"
        status, answer = status_and_head(server.url, head)
        assert status == 413
        assert b"application/problem+json" in answer

    def test_a_body_that_does_not_say_how_long_it_is_is_read_no_further_than_the_limit(
        self, server: Running
    ) -> None:
        def endless() -> Iterator[bytes]:
            for _ in range(64):
                yield b" " * 65536

        headers = {"x-guard-key": "wrong"}
        with httpx.Client(timeout=30) as client:
            try:
                answer = client.post(
                    f"{server.url}/webhooks/dataverse", content=endless(), headers=headers
                )
            except httpx.WriteError:
                # The server has answered and closed while we were still sending.
                return
        assert answer.status_code == 413

    def test_a_body_of_exactly_the_limit_is_looked_at(self, server: Running) -> None:
        answer = httpx.post(f"{server.url}/webhooks/dataverse", content=b" " * LIMIT, timeout=30)
        assert answer.status_code == 401

    @pytest.mark.parametrize("body", [b"", b"{", EXAMPLE.body])
    def test_the_key_comes_before_the_content(self, server: Running, body: bytes) -> None:
        url = f"{server.url}/webhooks/dataverse"
        for headers in ({}, {"x-guard-key": "wrong"}, {"x-guard-key": ""}):
            answer = httpx.post(url, content=body, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["content-type"].startswith("application/problem+json")

    @pytest.mark.parametrize("key", [OLDER_KEY, KEY])
    @pytest.mark.parametrize("style", ["x-guard-key", "code", "guard-key"])
    def test_every_valid_key_opens_in_every_style(
        self, server: Running, key: str, style: str
    ) -> None:
        headers = {"x-guard-key": key} if style == "x-guard-key" else {}
        query = {} if headers else {style: key}
        answer = httpx.post(
            f"{server.url}/webhooks/dataverse", content=b"[]", headers=headers, params=query
        )
        assert answer.status_code == 400

    @pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"{", b"\xff\xfe", b"null", b"1" * 5000])
    def test_what_is_no_context_is_unreadable(self, server: Running, body: bytes) -> None:
        answer = httpx.post(f"{server.url}/webhooks/dataverse?code={OLDER_KEY}", content=body)
        assert answer.status_code == 400
        problem = answer.json()
        assert problem["status"] == 400
        assert problem["title"]

    def test_without_a_cloud_nothing_is_let_through_that_needs_a_fact(
        self, server: Running
    ) -> None:
        answer = httpx.post(
            f"{server.url}{EXAMPLE.url}", content=EXAMPLE.body, headers=EXAMPLE.headers, timeout=30
        )
        assert answer.status_code == 403
        findings = answer.json()["findings"]
        assert {one["effect"] for one in findings} >= {"error"}
        told = " ".join(one["message"] for one in findings)
        assert "Dataverse is not configured." in told
        assert "does not answer" not in told

    def test_nothing_but_a_post_is_a_delivery(self, server: Running) -> None:
        answer = httpx.get(f"{server.url}/webhooks/dataverse")
        assert answer.status_code == 405
        assert answer.headers["allow"] == "POST"

    def test_a_monitor_sees_life_readiness_and_counts(self, server: Running) -> None:
        httpx.post(f"{server.url}/webhooks/dataverse", content=b"")
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        status, state = server.readiness()
        assert (status, state["ready"], state["syncs"]) == (200, True, False)
        assert re.fullmatch(r"[0-9a-f]{64}", state["policy_set"]["digest"])
        for path in ("/healthz", "/readyz"):
            asked = httpx.head(f"{server.url}{path}")
            assert (asked.status_code, asked.content) == (200, b"")
        scraped = httpx.get(f"{server.url}/metrics").text
        assert 'mailbox_guard_deliveries_total{cause="",decision="",status="401"}' in scraped
        assert httpx.get(f"{server.url}/nowhere").status_code == 404


class TestPolicies:
    """A running server takes a newer set whole, or keeps the one it has and says why."""

    def wait(self, server: Running, **wanted: Any) -> dict[str, Any]:
        until = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < until:
            status, state = server.readiness()
            assert status == 200
            held: dict[str, Any] = state["policy_set"]
            if all(check(held[name]) for name, check in wanted.items()):
                return held
            time.sleep(0.1)  # noqa: TID251 - a real process takes real time.
        raise AssertionError(server.shown())

    def test_a_broken_folder_is_refused_and_a_mended_one_is_taken(
        self, group: Processes, policies: Path
    ) -> None:
        server = group.serve("--no-sync", policies_dir=str(policies))
        first = server.readiness()[1]["policy_set"]
        assert first["refused"] == []
        spoil(policies, "own-address-only.yaml", "mode: enforce", "mode: enforced")
        refused = self.wait(server, refused=bool)
        assert refused["digest"] == first["digest"]
        assert any(
            re.search(r"own-address-only\.yaml:\d+:\d+: ", line) for line in refused["refused"]
        )
        assert "policy_set_refused" in server.err
        assert "mailbox_guard_policy_set_refused 1.0" in httpx.get(f"{server.url}/metrics").text
        spoil(policies, "own-address-only.yaml", "mode: enforced", "mode: warn")
        taken = self.wait(server, digest=lambda digest: digest != first["digest"])
        assert taken["refused"] == []
        assert "policy_set_swapped" in server.err
        server.terminate()

    def test_a_folder_emptied_by_mistake_changes_nothing(
        self, group: Processes, policies: Path
    ) -> None:
        server = group.serve("--no-sync", policies_dir=str(policies))
        first = server.readiness()[1]["policy_set"]
        for path in policies.rglob("*.yaml"):
            path.unlink()
        refused = self.wait(server, refused=bool)
        assert refused["digest"] == first["digest"]
        assert "no enforced policy" in "\n".join(refused["refused"])

    def test_a_newer_set_decides(self, group: Processes, policies: Path) -> None:
        """Without a cloud every rule that needs a fact errs; one that needs none decides."""
        server = group.serve("--no-sync", policies_dir=str(policies))
        for path in policies.rglob("*.yaml"):
            if "kind: Policy\n" in path.read_text("utf-8"):
                path.unlink()
        (policies / "nothing-moves.yaml").write_text(NOTHING_MOVES)
        for path in (*policies.rglob("*.test.yaml"), *policies.glob("params/*.yaml")):
            path.unlink()
        self.wait(server, policies=lambda count: count == 1)
        answer = httpx.post(
            f"{server.url}{EXAMPLE.url}", content=EXAMPLE.body, headers=EXAMPLE.headers, timeout=30
        )
        assert answer.status_code == 403
        assert [one["message"] for one in answer.json()["findings"]] == ["Addresses stay."]


class TestSchema:
    """The database may be upgraded while the old version serves."""

    def test_another_schema_is_not_written_to_until_it_is_ours_again(
        self, group: Processes
    ) -> None:
        server = group.serve("--no-sync")

        def post() -> httpx.Response:
            return httpx.post(
                f"{server.url}{EXAMPLE.url}",
                content=EXAMPLE.body,
                headers=EXAMPLE.headers,
                timeout=30,
            )

        def renumber(change: str) -> None:
            with sqlite3.connect(group.folder / "data" / "mailbox-guard.db") as database:
                database.execute(f"UPDATE kernel_schema SET number = number {change}")
            database.close()

        renumber("+ 1")
        status, state = server.readiness()
        assert (status, state["ready"]) == (503, False)
        assert re.search(r"has schema \d+, this version needs \d+", state["problem"])
        refused = post()
        assert (refused.status_code, refused.json()["detail"]) == (503, state["problem"])
        assert httpx.get(f"{server.url}/healthz").status_code == 200

        renumber("- 1")
        assert server.readiness()[0] == 200
        assert post().status_code == 403
        listed = group.run("decisions", "list", "--output", "json")
        assert len(json.loads(listed.stdout)) == 1

    def test_a_server_that_nobody_asks_sees_it_too(self, group: Processes) -> None:
        server = group.serve("--no-sync")
        with sqlite3.connect(group.folder / "data" / "mailbox-guard.db") as database:
            database.execute("UPDATE kernel_schema SET number = number + 1")
        database.close()
        server.wait_for("schema_outdated")


class TestEnds:
    """A server may end at any moment; what it answered stays."""

    def test_a_termination_ends_cleanly_although_a_caller_keeps_the_line(
        self, group: Processes
    ) -> None:
        server = group.serve("--no-sync")
        with httpx.Client(base_url=server.url) as client:
            assert client.get("/healthz").status_code == 200
            assert server.terminate(seconds=15) == 0
        assert "Traceback" not in server.err

    def test_an_interrupt_ends_cleanly(self, group: Processes) -> None:
        server = group.serve("--no-sync")
        server.popen.send_signal(signal.SIGINT)
        assert server.wait() == 0
        assert "Traceback" not in server.err

    def test_commands_work_beside_the_server(self, group: Processes) -> None:
        server = group.serve("--no-sync")
        httpx.post(
            f"{server.url}{EXAMPLE.url}", content=EXAMPLE.body, headers=EXAMPLE.headers, timeout=30
        )
        listed = group.run("decisions", "list", "--output", "json")
        assert [one["decision"] for one in json.loads(listed.stdout)] == ["reject"]
        assert group.run("decisions", "verify").returncode == 0
        assert group.run("mailboxes", "list").returncode == 0
        assert group.run("db", "check").returncode == 0

    def test_an_identical_delivery_after_a_crash_gets_its_recorded_answer(
        self, group: Processes
    ) -> None:
        def post(server: Running) -> httpx.Response:
            url = f"{server.url}{EXAMPLE.url}"
            return httpx.post(url, content=EXAMPLE.body, headers=EXAMPLE.headers, timeout=30)

        server = group.serve("--no-sync")
        first = post(server)
        server.kill()
        again = post(group.serve("--no-sync"))
        assert again.status_code == first.status_code
        assert again.json()["decision_id"] == first.json()["decision_id"]
        listed = json.loads(group.run("decisions", "list", "--output", "json").stdout)
        assert len(listed) == 1

    def test_no_key_stands_in_the_log_or_the_database(self, group: Processes) -> None:
        server = group.serve("--no-sync", webhook_keys=f"{OLDER_KEY},{KEY}")
        url = f"{server.url}/webhooks/dataverse"
        for key in ("a-wrong-key-9d8c", OLDER_KEY):
            httpx.post(f"{url}?code={key}", content=EXAMPLE.body, timeout=30)
            httpx.post(url, content=EXAMPLE.body, headers={"x-guard-key": key}, timeout=30)
        assert server.terminate() == 0
        written = (server.out + server.err).encode() + b"".join(
            path.read_bytes() for path in (group.folder / "data").iterdir()
        )
        for key in (b"a-wrong-key-9d8c", OLDER_KEY.encode(), KEY.encode()):
            assert key not in written
