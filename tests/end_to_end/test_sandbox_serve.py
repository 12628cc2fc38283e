"""`sandbox serve` as a process, with a guard beside it that knows only what it printed."""

from __future__ import annotations

import pytest

from tests.end_to_end.processes import Processes, free_port

pytestmark = pytest.mark.slow
PRINTED = {
    "authority_url", "graph_url", "dataverse_url", "tenant_id", "client_id", "client_secret",
    "ca_bundle_file",
}  # fmt: skip


def test_what_the_sandbox_prints_is_all_that_a_guard_needs(group: Processes) -> None:
    sandbox, settings = group.sandbox()
    assert settings.keys() >= PRINTED
    assert sandbox.out.splitlines()[-1] == "sandbox ready"
    server = group.serve("--no-sync", **settings)
    server.wait_until_ready()
    server.wait_for("organization_learnt")
    assert server.readiness()[1]["organization_id"]
    assert server.terminate() == 0, server.shown()
    assert sandbox.terminate() == 0, sandbox.shown()
    assert "Traceback" not in sandbox.err + server.err


def test_a_sandbox_that_registers_a_guard_prints_the_key(group: Processes) -> None:
    url = f"http://127.0.0.1:{free_port()}/webhooks/dataverse"
    group.settings.pop("webhook_keys")
    _, settings = group.sandbox("--register", url)
    assert len(settings["webhook_keys"]) >= 20


def test_a_port_in_use_is_named(group: Processes) -> None:
    first, settings = group.sandbox()
    port = settings["graph_url"].rpartition(":")[2]
    done = group.run("sandbox", "serve", "--port", port)
    assert done.returncode == 2
    assert port in done.stderr
    assert "Traceback" not in done.stderr
    assert first.popen.poll() is None


def test_a_url_that_is_none_is_named(group: Processes) -> None:
    done = group.run("sandbox", "serve", "--register", "somewhere")
    assert done.returncode == 2
    assert "--register is not a URL: somewhere." in done.stderr
