"""Decisions over the API: found page by page, told whole, explained, decided again."""

from __future__ import annotations

from guard.ledger.stored import mask
from rules.load.loader import load_documents
from tests.console.api.conftest import ANNA, MAILBOX_ID, USER_ID, Bench
from tests.console.api.test_access import is_problem
from tests.console.conftest import TEST
from tests.console.recording import RULE


async def test_pages_hold_each_once_while_others_are_made(bench: Bench) -> None:
    ids = [await bench.record() for _ in range(5)]
    found = (await bench.get("/decisions", limit=2)).json()
    seen = [one["id"] for one in found["items"]]
    while found["next"] is not None:
        await bench.record()
        answer = await bench.get("/decisions", limit=2, cursor=found["next"])
        found = answer.json()
        seen += [one["id"] for one in found["items"]]
    assert seen == ids[::-1]
    assert "link" not in answer.headers


async def test_the_next_page_is_linked_with_its_search(bench: Bench) -> None:
    for _ in range(2):
        await bench.record()
    answer = await bench.get("/decisions", limit=1, rule=RULE)
    link = answer.headers["link"]
    assert link.endswith('>; rel="next"')
    query = link[1:].partition(">")[0]
    again = await bench.get(f"/decisions{query}")
    assert len(again.json()["items"]) == 1
    # For another search it is no cursor.
    other = await bench.get(
        "/decisions", limit=1, rule="own-address-only", cursor=answer.json()["next"]
    )
    assert is_problem(other, 400, "cursor-unusable")


async def test_a_search_finds_by_person_address_record_rule_and_time(bench: Bench) -> None:
    first = await bench.record()
    noon = bench.clock.now().isoformat()
    second = await bench.record("other@contoso.com", initiating_user_id="e1000000-0000")
    for search, found in (
        ({"actor": USER_ID}, [first]),
        ({"address": "OTHER@contoso.com"}, [second]),
        ({"record": MAILBOX_ID[:8]}, [second, first]),
        ({"rule": RULE}, [second, first]),
        ({"since": noon}, [second]),
        ({"until": noon, "decision": "reject"}, [first]),
        ({"decision": "allow"}, []),
    ):
        answer = await bench.get("/decisions", **search)
        assert [one["id"] for one in answer.json()["items"]] == found, search


async def test_what_nothing_can_fit_is_refused_with_the_mend(bench: Bench) -> None:
    for search in ({"table": "mailbxo"}, {"rule": "own-adress-only"}, {"address": "nobody"}):
        answer = await bench.get("/decisions", **search)
        assert is_problem(answer, 400, "input-refused"), search
        assert answer.json()["hint"]


async def test_by_edit_what_was_confirmed_is_one_entry(bench: Bench) -> None:
    decided = await bench.record(ANNA)
    confirmation = await bench.record(ANNA, confirms=decided)
    [one] = (await bench.get("/decisions", by_edit=True)).json()["items"]
    assert (one["id"], one["seen"]) == (decided, "before and after commit")
    whole = (await bench.get(f"/decisions/{decided}")).json()
    assert whole["confirmed_by"] == confirmation


async def test_one_decision_is_told_whole_with_the_names_of_its_ids(bench: Bench) -> None:
    decision_id = await bench.record()
    whole = (await bench.get(f"/decisions/{decision_id[:13]}")).json()
    assert whole["id"] == decision_id
    assert whole["findings"][0]["message"].startswith("ceo@contoso.com is not the address")
    assert whole["names"] == {USER_ID: ANNA}
    assert is_problem(await bench.get("/decisions/ffffffff"), 404, "decision-unknown")
    assert is_problem(await bench.get("/decisions/nothing"), 422, "request-unfit")


async def test_it_is_explained_and_decided_again_by_either_set(bench: Bench) -> None:
    decision_id = await bench.record()
    for by in ("today", "recorded"):
        told = (await bench.get(f"/decisions/{decision_id}/explanation", by=by)).json()
        assert told["decision"] == "reject"
        assert told["policies"][0]["rules"][0]["require"][0]["answer"] == "no"
        again = (await bench.get(f"/decisions/{decision_id}/replay", by=by)).json()
        assert (again["same"], again["decided"]["rules"]) == (True, [RULE])


async def test_the_policies_of_today_may_say_something_else(bench: Bench) -> None:
    decision_id = await bench.record()
    documents = dict(bench.parts.policies.current.documents)
    audited = {
        k: v.replace("kind: Policy", "kind: Policy\nmode: audit") for k, v in documents.items()
    }
    bench.parts.policies.holder.swap(load_documents(audited))  # type: ignore[attr-defined]
    again = (await bench.get(f"/decisions/{decision_id}/replay")).json()
    assert (again["same"], again["decided"]["decision"]) == (False, "allow")
    again = (await bench.get(f"/decisions/{decision_id}/replay", by="recorded")).json()
    assert again["same"] is True


async def test_a_test_and_exceptions_are_drafted(bench: Bench) -> None:
    decision_id = await bench.record()
    [file] = (await bench.get(f"/decisions/{decision_id}/test")).json()["files"]
    assert file["file"] == f"tests/decision-{decision_id}.test.yaml"
    assert "kind: Test" in file["text"]
    drafts = await bench.get(f"/decisions/{decision_id}/exceptions", ticket="CHG-1")
    [file] = drafts.json()["files"]
    assert "ticket: CHG-1" in file["text"]
    assert f"{USER_ID} # {ANNA}" in file["text"]


async def test_what_was_masked_is_told_as_gone_and_not_decided_again(bench: Bench) -> None:
    decision_id = await bench.record()
    await bench.parts.database.write(
        lambda c: mask(c, decision_id, now=bench.clock.now()), failpoint=TEST
    )
    whole = (await bench.get(f"/decisions/{decision_id}")).json()
    assert (whole["masked"], whole["private"]) == (True, None)
    for path in ("explanation", "replay"):
        answer = await bench.get(f"/decisions/{decision_id}/{path}")
        assert is_problem(answer, 400, "decision-masked")
    assert is_problem(await bench.get(f"/decisions/{decision_id}/test"), 400, "input-refused")
