"""What the examples must show, tag by tag, and how to see in the bytes that a tag is true."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from tests.webhook_examples.examples import Example

CONTRACTS = "http://schemas.microsoft.com/xrm/2011/Contracts"
Proof = Callable[[Example], bool]


def _text(example: Example) -> str:
    """The body with its slashes unescaped, so that one pattern fits both forms."""
    return example.body.decode("utf-8-sig").replace("\\/", "/")


def _holds(pattern: str) -> Proof:
    compiled = re.compile(pattern)
    return lambda example: compiled.search(_text(example)) is not None


def _context(test: Callable[[dict[str, Any]], bool]) -> Proof:
    return lambda example: example.context is not None and test(example.context)


def _pairs(context: dict[str, Any], name: str) -> dict[str, Any]:
    return {pair["key"]: pair["value"] for pair in context.get(name, [])}


def _target(context: dict[str, Any]) -> dict[str, Any]:
    target = _pairs(context, "InputParameters")["Target"]
    return {pair["key"]: pair["value"] for pair in target.get("Attributes", [])}


def _image(context: dict[str, Any]) -> dict[str, Any]:
    image = next(iter(_pairs(context, "PreEntityImages").values()))
    return {pair["key"]: pair["value"] for pair in image["Attributes"]}


def _same(one: Any, other: Any) -> bool:
    """Whether Dataverse means the same: text without case, a lookup by its id."""
    if isinstance(one, dict) and isinstance(other, dict):
        if "Id" in one and "Id" in other:
            return bool(one["Id"] == other["Id"])
        return bool(one.get("Value") == other.get("Value"))
    return json.dumps(one).casefold() == json.dumps(other).casefold()


def _sends_an_unchanged_column(context: dict[str, Any]) -> bool:
    before = _image(context)
    ignored = {"mailboxid", "systemuserid", "queueid"}
    sent = {k: v for k, v in _target(context).items() if k in before and k not in ignored}
    return bool(sent) and all(_same(value, before[name]) for name, value in sent.items())


MESSAGES: dict[str, Proof] = {
    "create": _context(lambda c: c["MessageName"] == "Create"),
    "update": lambda e: e.headers.get("x-ms-dynamics-request-name") == "Update",
    "delete": _context(lambda c: c["MessageName"] == "Delete"),
    "assign": _context(lambda c: "Assignee" in _pairs(c, "InputParameters")),
    "set-state": _context(
        lambda c: "EntityMoniker" in _pairs(c["ParentContext"], "InputParameters")
    ),
    "synchronous": _holds(r'"Mode":0'),
    "asynchronous": _context(lambda c: c["Mode"] == 1 and c["Stage"] == 40),
    "mailbox": lambda e: e.headers.get("x-ms-dynamics-entity-name") == "mailbox",
    "systemuser": _context(lambda c: c["PrimaryEntityName"] == "systemuser"),
    "queue": _context(lambda c: c["PrimaryEntityName"] == "queue"),
    "nested-create": _context(
        lambda c: c["ParentContext"]["PrimaryEntityName"] != c["PrimaryEntityName"]
    ),
}

ENCODINGS: dict[str, Proof] = {
    "key-value-arrays": _holds(r'"Attributes":\[\{"key":'),
    "type-hints": _holds(r'\{"__type":"'),
    "guid-plain": _holds(r'"value":"[0-9a-f]{8}-[0-9a-f-]{27}"'),
    "guid-wrapped": _holds(r'\{"__type":"Guid:#System","__value":"'),
    "datetime-plain": _holds(r'"value":"/Date\(\d+\)/"'),
    "datetime-wrapped": _holds(r'\{"__type":"DateTime:#System","__value":"/Date\('),
    "datetime-without-offset": _holds(r"/Date\(\d+\)/"),
    "datetime-with-offset": _holds(r"/Date\(\d+[+-]\d{4}\)/"),
    "datetime-negative": _holds(r"/Date\(-\d+\)/"),
    "null-value": _holds(r'"value":null'),
    "choice": _holds(rf'"OptionSetValue:{CONTRACTS}","Value":\d+'),
    "multi-choice": _holds(r'"value":\[\{"__type":"OptionSetValue:'),
    "two-options": _holds(r'"value":(true|false)'),
    "decimal": _holds(r'"value":\d+\.\d+'),
    "lookup": _holds(rf'"EntityReference:{CONTRACTS}","Id":"[^"]+","KeyAttributes":\[\]'),
    "lookup-named": _holds(r'"LogicalName":"systemuser","Name":"[^"]+"'),
    "money": _holds(rf'"Money:{CONTRACTS}","Value":\d+'),
    "entity": _holds(rf'"key":"Target","value":\{{"__type":"Entity:{CONTRACTS}"'),
    "image-entity-without-type": _holds(
        r'"PreEntityImages":\[\{"key":"\w+","value":\{"Attributes"'
    ),
    "entity-collection": _holds(rf'"EntityCollection:{CONTRACTS}","Entities":\[\{{"Attributes"'),
    "escaped-slashes": lambda e: b"\\/Date(" in e.body and b"http:\\/\\/" in e.body,
    "plain-slashes": lambda e: b"/Date(" in e.body and b"\\/" not in e.body,
    "byte-order-mark": lambda e: e.body.startswith(b"\xef\xbb\xbf{"),
    "double-encoded-text": _holds("\u00c3\u00bc|\u00e2\u201a\u00ac"),
    "unknown-properties": _context(lambda c: "NewPropertyOfNextYear" in c),
    "absent-properties": _context(lambda c: "InitiatingUserAzureActiveDirectoryObjectId" not in c),
    "request-id-null": _context(lambda c: c["RequestId"] is None),
    "parent-context": _context(lambda c: c["ParentContext"]["Stage"] in (20, 30)),
    "parent-context-null": _context(lambda c: c["ParentContext"] is None),
    "shared-variables": _context(lambda c: len(c["SharedVariables"]) > 0),
    "shared-tag": _context(lambda c: bool(_pairs(c, "SharedVariables")["tag"])),
    "shared-changed-entity-types": _holds(r"KeyValuePairOfstringstring:#System.Collections"),
    "output-parameters": _context(
        lambda c: _pairs(c, "OutputParameters") == {"id": c["PrimaryEntityId"]}
    ),
    "pre-image": _context(lambda c: len(c["PreEntityImages"]) == 1),
    "post-image": _context(lambda c: len(c["PostEntityImages"]) > 0),
    "async-primary-name": _context(
        lambda c: "AsynchronousStepPrimaryName" in _pairs(c, "PostEntityImages")
    ),
    "step-without-name": _context(lambda c: c["OwningExtension"]["Name"] is None),
    "impersonation": _context(lambda c: c["UserId"] != c["InitiatingUserId"]),
    "unchanged-columns": _context(_sends_an_unchanged_column),
    "stripped": lambda e: (
        e.headers.get("x-ms-dynamics-msg-size-exceeded") is not None
        and e.context is not None
        and not {"ParentContext", "InputParameters", "PreEntityImages"} & e.context.keys()
    ),
}


def _answered(status: int, **more: str) -> Proof:
    return lambda e: (
        e.expected.status == status
        and all(getattr(e.expected, name) == value for name, value in more.items())
    )


def _with(tag: str, proof: Proof) -> Proof:
    return lambda e: tag in e.shows and proof(e)


ANSWERS: dict[str, Proof] = {
    "answer-413": lambda e: e.expected.status == 413 and len(e.body) > 1024 * 1024,
    "answer-401": _answered(401),
    "answer-400": lambda e: e.expected.status == 400 and e.context is None,
    "answer-200-asynchronous": _with("asynchronous", _answered(200)),
    "answer-200-asynchronous-stripped": _with("stripped", _with("asynchronous", _answered(200))),
    "answer-200-allow": _with("synchronous", _answered(200, decision="allow")),
    "answer-200-not-guarded": _answered(200, cause="not-guarded"),
    "answer-200-deferred": _with("create", _answered(200, cause="deferred")),
    "answer-403-reject": _with("synchronous", _answered(403, decision="reject")),
    "answer-403-hold": _with("synchronous", _answered(403, decision="hold")),
    "answer-403-stripped": _with("stripped", _answered(403, cause="stripped")),
    "answer-403-foreign": _with("foreign", _answered(403, cause="foreign")),
    "answer-403-undecidable": lambda e: (
        e.expected.status == 403 and e.expected.cause in {"error", "undecidable"}
    ),
}

KEYS: dict[str, Proof] = {
    "key-code": lambda e: "?code=" in e.url and "x-guard-key" not in e.headers,
    "key-query": lambda e: "?guard-key=" in e.url and "x-guard-key" not in e.headers,
}

SEQUENCES: dict[str, Proof] = {
    "identical-delivery": lambda e: e.expected.same_decision_as in e.after,
    "one-correlation-id": lambda e: e.context is not None,
    "foreign": lambda e: e.context is not None,
    "law-of-the-guard": lambda e: all(
        rule.startswith("guard/") for rule in e.expected.rules or "-"
    ),
}

SHOWN: dict[str, Proof] = MESSAGES | ENCODINGS | ANSWERS | KEYS | SEQUENCES
