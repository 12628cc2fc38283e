"""The examples are well-formed, say the truth about themselves, and leave nothing out."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from tests.webhook_examples.examples import FOLDER, Example, all_examples, tenant
from tests.webhook_examples.shown import ANSWERS, ENCODINGS, SHOWN

EXAMPLES = all_examples()
BY_NAME = {example.name: example for example in EXAMPLES}
each = pytest.mark.parametrize("example", EXAMPLES, ids=list(BY_NAME))


@each
def test_an_example_has_its_parts(example: Example) -> None:
    assert example.unknown_keys == ()
    assert example.title
    assert not example.title.endswith(".")
    assert example.meant.endswith(".")
    assert example.expected.status in {200, 400, 401, 403, 413}
    assert example.expected.decision in {None, "allow", "warn", "hold", "reject"}
    assert example.shows
    assert example.url.partition("?")[0].rstrip("/") == "/webhooks/dataverse"


@each
def test_every_tag_of_an_example_is_true_of_its_bytes(example: Example) -> None:
    assert len(set(example.shows)) == len(example.shows)
    untrue = [tag for tag in example.shows if tag not in SHOWN or not SHOWN[tag](example)]
    assert untrue == []


@pytest.mark.parametrize("tag", sorted(SHOWN))
def test_every_row_of_the_tables_is_shown_by_an_example(tag: str) -> None:
    assert any(tag in example.shows for example in EXAMPLES)


@pytest.mark.parametrize("table", ["mailbox", "systemuser", "queue"])
def test_every_guarded_table_is_shown_in_both_modes_and_with_both_answers(table: str) -> None:
    shown = [set(example.shows) for example in EXAMPLES if table in example.shows]
    for wanted in ("synchronous", "asynchronous", "create", "update"):
        assert any(wanted in tags for tags in shown), wanted
    assert any("answer-200-allow" in tags for tags in shown)
    assert any("answer-403-reject" in tags for tags in shown)


@each
def test_an_answer_of_200_or_403_stands_on_a_readable_context(example: Example) -> None:
    if example.expected.status in {200, 403}:
        assert example.context is not None
    if example.expected.status in {400, 401, 413}:
        assert example.expected.decision is None


@each
def test_a_body_is_one_line_in_wire_order(example: Example) -> None:
    context = example.context
    if context is None:
        return
    assert b"\n" not in example.body
    assert len(example.body) < 262_144
    assert list(context) == sorted(context)
    again = json.dumps(context, ensure_ascii=False, separators=(",", ":"))
    assert example.body.decode("utf-8-sig").replace("\\/", "/") == again


@each
def test_headers_say_what_the_body_says(example: Example) -> None:
    context = example.context
    if context is None:
        return
    headers = example.headers
    assert headers["x-ms-dynamics-entity-name"] == context["PrimaryEntityName"]
    assert headers["x-ms-dynamics-request-name"] == context["MessageName"]
    assert headers["x-ms-correlation-request-id"] == context["CorrelationId"]


@each
def test_the_curl_line_sends_the_same_delivery(example: Example) -> None:
    before, _, line = example.curl.rpartition("curl -sS")
    words = shlex.split(line)
    url = next(word for word in words if word.startswith("http"))
    sent = [words[i + 1] for i, word in enumerate(words) if word == "-H"]
    data = words[words.index("--data-binary") + 1]
    assert url == "http://127.0.0.1:8080" + example.url
    assert dict(pair.split(": ", 1) for pair in sent) == example.headers
    if isinstance(example.body_source, dict):
        assert (data, example.body_source["repeat"]) == ("@-", " ")
        assert before == f"printf '%{example.body_source['times']}s' '' | "
    else:
        assert (data, before) == ("@" + example.body_source, "")


@each
def test_the_key_is_the_tenants_exactly_when_the_answer_needs_it(example: Example) -> None:
    key = tenant()["webhook_key"]
    shown = {example.headers.get("x-guard-key"), example.url.partition("=")[2]}
    if example.expected.status in {200, 400, 403}:
        assert key in shown
    if example.expected.status == 401:
        assert key not in shown


@each
def test_what_must_come_before_is_an_earlier_example(example: Example) -> None:
    for name in (*example.after, *filter(None, [example.expected.same_decision_as])):
        assert name in BY_NAME
        assert name < example.name


def test_no_two_examples_are_the_same_delivery_unless_one_says_so() -> None:
    seen: dict[str, str] = {}
    for example in EXAMPLES:
        if example.context is None or example.expected.same_decision_as is not None:
            continue
        operation = example.context["OperationId"]
        assert operation not in seen, (seen.get(operation), example.name)
        seen[operation] = example.name


def test_the_pair_shares_a_correlation_id_and_nothing_else_does() -> None:
    pair = [e.context for e in EXAMPLES if "one-correlation-id" in e.shows and e.context]
    assert len(pair) == 2
    assert pair[0]["CorrelationId"] == pair[1]["CorrelationId"]
    assert pair[0]["OperationId"] != pair[1]["OperationId"]
    others = [
        e.context["CorrelationId"]
        for e in EXAMPLES
        if e.context and not {"one-correlation-id", "identical-delivery"} & set(e.shows)
    ]
    assert len(set(others)) == len(others)


@each
def test_a_foreign_example_is_of_another_organization_and_only_it_is(example: Example) -> None:
    if example.context is not None:
        foreign = example.context["OrganizationId"] != tenant()["organization"]["id"]
        assert foreign == ("foreign" in example.shows)


@each
def test_actors_and_rows_come_from_the_tenant(example: Example) -> None:
    context = example.context
    if context is None:
        return
    users = {user["systemuserid"] for user in tenant()["dataverse"]["systemusers"]}
    known = context["InitiatingUserId"] in users
    assert known == (example.expected.cause != "error")
    assert context["UserId"] in users or not known


def test_the_tenant_uses_sample_domains_only() -> None:
    text = (FOLDER / "tenant.yaml").read_text(encoding="utf-8")
    bodies = "".join(e.body.decode("utf-8-sig") for e in EXAMPLES if e.context is not None)
    domains = {part.split('"')[0].split("]")[0] for part in (text + bodies).split("@")[1:]}
    allowed = ("contoso.com", "fabrikam.com", "example.net", "example.org")
    assert [d for d in domains if not d.strip().lower().startswith(allowed)] == []


def test_the_index_names_every_example_with_its_title() -> None:
    index = (FOLDER / "README.md").read_text(encoding="utf-8")
    rows = [line for line in index.splitlines() if line.startswith("| [")]
    assert len(rows) == len(EXAMPLES)
    for row, example in zip(rows, EXAMPLES, strict=True):
        answer = f"{example.expected.status} {example.expected.decision or ''}".strip()
        link = f"[{example.name}]({example.name}/example.yaml)"
        assert row == f"| {link} | {answer} | {example.title} |"


def test_rules_that_are_named_exist_in_the_shipped_policies() -> None:
    policies = Path(__file__).parents[2] / "policies"
    known: set[str] = set()
    for path in policies.rglob("*.yaml"):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if isinstance(document, dict) and document.get("kind") == "Policy":
            known |= {f"{document['name']}/{rule['id']}" for rule in document["rules"]}
    named = {rule for example in EXAMPLES for rule in example.expected.rules or ()}
    assert {rule for rule in named - known if not rule.startswith("guard/")} == set()


def test_the_tables_are_not_shortened_by_accident() -> None:
    assert len(ENCODINGS) >= 36
    assert len(ANSWERS) == 13
