"""The policies in force are read out, with how often each rule fired, and when exceptions end."""

from __future__ import annotations

from pathlib import Path

from tests.console.api.conftest import ANNA, Bench
from tests.console.recording import RULE

EXCEPTION = """\
apiVersion: guard/v1
kind: Exception
name: the-fair
policy: own-address-only
rules: [same-as-owner]
reason: The fair lasts until the year ends.
ticket: CHG-1
approvedBy: olga@contoso.com
expires: 2026-12-31
when:
  - field: address
    equals: fair@contoso.com
"""


async def test_each_rule_is_a_sentence_with_a_count(bench: Bench) -> None:
    found = (await bench.get("/policies")).json()
    assert found["never_fired"] == [RULE]
    for after in ("ceo@contoso.com", "ceo@contoso.com", ANNA):
        await bench.record(after)
    bench.clock.advance(31 * 86_400)
    await bench.record("ceo@contoso.com")
    found = (await bench.get("/policies")).json()
    [policy] = found["policies"]
    [rule] = policy["rules"]
    assert policy["scope"] == ["Every create or update of mailbox where emailaddress has changed."]
    assert rule["sentence"] == (
        "It must be that emailaddress is owner.upn, unless owner.type is in [queue, team]. "
        "Otherwise the change is rejected."
    )
    assert (rule["fired"], rule["fired_by_effect"], rule["last_fired"]) == (
        1,
        {"reject": 1},
        "2026-12-24",
    )
    assert found["never_fired"] == []


async def test_exceptions_tell_their_end(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "policies" / "the-fair.yaml").write_text(EXCEPTION)
    await bench.parts.policies.reload()  # type: ignore[attr-defined]
    [one] = (await bench.get("/exceptions")).json()["items"]
    assert (one["name"], one["expires"], one["state"], one["days_left"]) == (
        "the-fair",
        "2026-12-31",
        "current",
        38,
    )
