"""Every example is posted to a real server, over real sockets, beside a cloud that is not ours."""

from __future__ import annotations

import json

import httpx
import pytest

from tests.end_to_end.processes import Processes, Running
from tests.end_to_end.tenant_cloud import TenantCloud
from tests.webhook_examples.examples import all_examples, tenant
from tests.webhook_examples.test_answers import _differences

pytestmark = pytest.mark.slow


@pytest.fixture
def server(group: Processes, cloud: TenantCloud) -> Running:
    """`serve` as shipped, its organisation learnt from Dataverse."""
    started = group.serve(
        "--no-sync",
        **cloud.settings,
        delegated_approver_role_id=tenant()["delegated_approver_role"],
    )
    started.wait_until_ready(organization_id=tenant()["organization"]["id"])
    return started


def test_every_example_gets_its_answer_from_a_real_server(
    group: Processes, server: Running
) -> None:
    ids: dict[str, str] = {}
    wrong: dict[str, list[str]] = {}
    with httpx.Client(base_url=server.url, timeout=30) as client:
        for example in all_examples():
            answer = client.post(example.url, content=example.body, headers=example.headers)
            differences = _differences(example, answer, ids)
            if differences:
                wrong[example.name] = [*differences, answer.text]
    assert wrong == {}, server.shown()
    listed = json.loads(
        group.run("decisions", "list", "--limit", "1000", "--output", "json").stdout
    )
    decided = {one for one in ids.values() if one}
    assert decided <= {one["id"] for one in listed}
    assert group.run("decisions", "verify").returncode == 0
    assert server.terminate() == 0, server.shown()
    assert "Traceback" not in server.err
