"""A sandbox without an event loop around it."""

from __future__ import annotations

import httpx

from sandbox.server import Sandbox
from sandbox.threaded import running


def test_code_without_a_loop_can_ask_it() -> None:
    with running(Sandbox()) as threaded:
        sandbox = threaded.sandbox
        sandbox.add_person("new", title="New employee")
        with httpx.Client(verify=sandbox.certificates.client_context()) as client:
            url = f"{sandbox.authority_url}/v2.0/.well-known/openid-configuration"
            assert client.get(url).status_code == 200
        threaded.run(sandbox.settle())
        assert sandbox.person("new").upn == "new@contoso.com"
        assert sandbox.mailbox("new").address == "new@contoso.com"
        assert [entry.status for entry in sandbox.access_log()] == [200]
