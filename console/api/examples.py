"""Examples of what the API takes and gives, for its description and its page."""

from __future__ import annotations

from typing import Any, Final

DECISION_ID: Final = "019acb12-3f4a-7000-8000-000000000001"
MAILBOX_ID: Final = "b1000000-0000-4000-8000-000000000001"
_USER_ID: Final = "a1000000-0000-4000-8000-000000000001"
_SET: Final = "5f0c6c1d9f2b"
_RULE: Final = "own-address-only/same-as-owner"
_AT: Final = "2026-11-23T12:00:00.123456Z"
_MESSAGE: Final = "ceo@contoso.com is not the address of the mailbox's owner (anna@contoso.com)."
_HELP: Final = "Set the address to the owner's sign-in name."

DECISION: Final[dict[str, Any]] = {
    "id": DECISION_ID,
    "decided_at": _AT,
    "decision": "reject",
    "cause": "rules",
    "table": "mailbox",
    "record_id": MAILBOX_ID,
    "operation": "update",
    "mode": 0,
    "stage": 20,
    "correlation_id": "c0000000-0000-4000-8000-000000000001",
    "initiating_user_id": _USER_ID,
    "on_behalf_by": None,
    "policy_set": _SET,
    "enforcement": "enforce",
    "confirms": None,
    "hold_id": None,
    "actor": {"id": _USER_ID, "name": "Anna Berg", "upn": "anna@contoso.com"},
    "address": {"before": "anna@contoso.com", "after": "ceo@contoso.com"},
    "approval": {"before": 1, "after": 1},
    "altered": ["emailaddress"],
    "rules": [_RULE],
    "obligations": [],
}
DECISIONS: Final = {"items": [DECISION], "next": "MDE5YWNi"}
_FINDING: Final = {
    "policy": "own-address-only",
    "rule": "same-as-owner",
    "effect": "reject",
    "severity": "critical",
    "message": _MESSAGE,
    "help": _HELP,
}
DECISION_WHOLE: Final = {
    **DECISION,
    "status": 403,
    "chain": {"id": "019acb12-0000-7000-8000-000000000000", "place": 41},
    "masked": False,
    "findings": [_FINDING],
    "facts": [
        {"name": "new.owner.upn", "value": "anna@contoso.com", "source": "mirror", "age_seconds": 0}
    ],
    "private": {"before": {"emailaddress": "anna@contoso.com"}},
    "names": {_USER_ID: "Anna Berg <anna@contoso.com>"},
    "confirmed_by": None,
}
_TRACE: Final = {
    "words": "new.emailaddress equals new.owner.upn (any case)",
    "values": ['"ceo@contoso.com"', '"anna@contoso.com"'],
    "answer": "no",
    "file": "own-address-only.yaml",
    "line": 15,
    "column": 7,
}
EXPLANATION: Final = {
    "decision": "reject",
    "cause": "rules",
    "table": "mailbox",
    "record_id": MAILBOX_ID,
    "operation": "update",
    "now": "2026-11-23T12:00:00+00:00",
    "policy_set": _SET,
    "policies": [
        {
            "policy": "own-address-only",
            "mode": "enforce",
            "matched": "yes",
            "match": [],
            "rules": [
                {
                    "id": _RULE,
                    "result": "failed",
                    "effect": "reject",
                    "severity": "critical",
                    "contributes": "reject",
                    "file": "own-address-only.yaml",
                    "line": 13,
                    "message": _MESSAGE,
                    "error": None,
                    "exception": None,
                    "when": [],
                    "require": [_TRACE],
                    "unless": [],
                    "exceptions": [],
                    "help": _HELP,
                }
            ],
        }
    ],
}
REPLAY: Final = {
    "id": DECISION_ID,
    "same": True,
    "policy_set": _SET,
    "recorded": {"decision": "reject", "rules": [_RULE]},
    "decided": {"decision": "reject", "rules": [_RULE]},
}
TEST_DRAFT: Final = {
    "decision_id": DECISION_ID,
    "files": [
        {
            "file": f"tests/decision-{DECISION_ID}.test.yaml",
            "text": "kind: Test\ncases:\n  - name: decision 019acb12\n",
        }
    ],
}
EXCEPTION_DRAFTS: Final = {
    "decision_id": DECISION_ID,
    "files": [
        {
            "file": "exceptions/draft-00000001-own-address-only.yaml",
            "text": "apiVersion: guard/v1\nkind: Exception\nreason: # fill in\n",
        }
    ],
}
MAILBOX: Final = {
    "id": MAILBOX_ID,
    "address": "anna@contoso.com",
    "object_id": "a1000000-1111-4111-8111-000000000001",
    "owner": _USER_ID,
    "owner_type": "user",
    "approved": True,
    "epoch": 3,
    "state": "synced",
    "reason": "",
    "withdrawn_by": None,
    "fresh_as_of": "2026-11-23T11:59:30Z",
    "next_at": "2026-11-23T12:00:30Z",
}
MAILBOXES: Final = {"items": [MAILBOX], "next": None}
_ACCESS: Final = {
    "id": 812,
    "at": "2026-11-23T11:59:30Z",
    "operation": "messages/delta",
    "workload": "incoming-mail",
    "items": 3,
    "epoch": 3,
    "reason": "approved mailbox",
}
ACCESS: Final = {"items": [_ACCESS], "next": None}
MAILBOX_WHOLE: Final = {
    **MAILBOX,
    "evidence": {"decision_id": DECISION_ID},
    "changed_at": "2026-11-20T08:00:00Z",
    "looked_up_at": "2026-11-23T11:40:00Z",
    "until": None,
    "tasks": [],
    "quarantine": [],
    "access": [{"at": _ACCESS["at"], "operation": "messages/delta", "items": 3, "epoch": 3}],
}
_HOLD_ID: Final = "019acb12-3f4a-7000-8000-00000000000a"
HOLD: Final[dict[str, Any]] = {
    "id": _HOLD_ID,
    "state": "open",
    "release": "pass",
    "table": "mailbox",
    "record_id": MAILBOX_ID,
    "operation": "update",
    "requester": {
        "id": _USER_ID,
        "name": "Anna Berg",
        "upn": "anna@contoso.com",
        "object_id": "a1000000-1111-4111-8111-000000000001",
    },
    "on_behalf_by": None,
    "address": {"before": "anna@contoso.com", "after": "info@contoso.com"},
    "approval": {"before": 1, "after": 1},
    "altered": ["emailaddress"],
    "rules": ["role-mailbox-held/role-mailbox"],
    "decision_id": DECISION_ID,
    "asked": 1,
    "opened_at": "2026-11-23T12:00:00Z",
    "asked_at": "2026-11-23T12:00:00Z",
    "ends_at": "2026-11-26T12:00:00Z",
    "answered_at": None,
    "answered_by": None,
    "reason": None,
    "release_decision_id": None,
    "usable_until": None,
    "settled_at": None,
    "settled_by": None,
    "settled_reason": None,
}
HOLDS: Final = {"items": [HOLD], "next": None}
HOLD_WHOLE: Final = {
    **HOLD,
    "before": {"emailaddress": "anna@contoso.com"},
    "after": {"emailaddress": "info@contoso.com"},
    "identities": {_USER_ID: "a1000000-1111-4111-8111-000000000001"},
    "findings": [],
    "facts": [],
    "evidence": {},
    "masked": False,
    "history": [],
    "approvers": [
        {
            "rule": "role-mailbox-held/role-mailbox",
            "approvers": [],
            "entra_roles": [],
            "anybody": True,
        }
    ],
}
HOLD_APPROVED: Final = {
    **HOLD_WHOLE,
    "state": "approved",
    "answered_at": "2026-11-23T13:00:00Z",
    "answered_by": "Olga Berg",
    "reason": "Agreed with the owner of the address.",
    "usable_until": "2026-11-23T14:00:00Z",
}
HOLD_REFUSED: Final = {
    **HOLD_WHOLE,
    "state": "refused",
    "answered_at": "2026-11-23T13:00:00Z",
    "answered_by": "Olga Berg",
    "reason": "Nobody asked for it.",
}
DONE: Final = {"done": True, "by": "Olga Berg"}
STOPS: Final = {
    "items": [
        {
            "brake": "guard.gone",
            "table": "mailbox",
            "subject": MAILBOX_ID,
            "mailbox": MAILBOX_ID,
            "address": "anna@contoso.com",
            "reason": "41 of 100 rows are gone.",
            "since": "2026-11-23T11:00:00Z",
            "released": False,
        }
    ],
    "next": None,
}
POLICIES: Final = {
    "policy_set": _SET,
    "environment": None,
    "counted_since": "2026-10-24",
    "loaded_at": "2026-11-23T08:00:00+00:00",
    "policies": [
        {
            "name": "own-address-only",
            "title": "A user's mailbox uses its owner's own address",
            "description": "Whoever points a mailbox at somebody else's address reads their mail.",
            "severity": "critical",
            "category": "identity",
            "contact": "",
            "mode": "enforce",
            "on_error": "reject",
            "file": "own-address-only.yaml",
            "line": 2,
            "tables": ["mailbox"],
            "scope": ["Every create or update of mailbox where emailaddress has changed."],
            "rules": [
                {
                    "id": _RULE,
                    "tables": ["mailbox"],
                    "effect": "reject",
                    "severity": "critical",
                    "sentence": "It must be that emailaddress is owner.upn, unless owner.type is "
                    "in [queue, team]. Otherwise the change is rejected.",
                    "when": [],
                    "require": ["emailaddress is owner.upn"],
                    "unless": ["owner.type is in [queue, team]"],
                    "message": "{address} is not the address of the mailbox's owner.",
                    "help": _HELP,
                    "file": "own-address-only.yaml",
                    "line": 13,
                    "fired": 12,
                    "fired_by_effect": {"reject": 11, "excepted": 1},
                    "last_fired": "2026-11-23",
                }
            ],
        }
    ],
    "never_fired": ["change-freeze/outside-the-freeze"],
    "fired_formerly": [],
}
EXCEPTIONS: Final = {
    "items": [
        {
            "name": "annas-second-address",
            "policy": "own-address-only",
            "rules": ["same-as-owner"],
            "expires": "2026-12-31",
            "ends": "2027-01-01T00:00:00Z",
            "days_left": 38,
            "state": "current",
            "ticket": "CHG-1042",
            "approved_by": "olga@contoso.com",
            "reason": "Anna keeps the address of the fair until the year ends.",
            "file": "exceptions/annas-second-address.yaml",
        }
    ],
    "next": None,
}
TRIAL: Final = {
    "operation": "update",
    "entity": "mailbox",
    "old": {"emailaddress": "anna@contoso.com"},
    "new": {
        "emailaddress": "ceo@contoso.com",
        "owner.type": "user",
        "owner.upn": "anna@contoso.com",
    },
    "actor": {"kind": "user", "upn": "anna@contoso.com"},
}
SYSTEM: Final = {
    "version": "1.0.0",
    "readiness": {"ready": True, "status": "ready", "problem": None, "degraded": [], "brakes": []},
    "settings": [
        {
            "name": "MAILBOX_GUARD_CLIENT_SECRET",
            "value": "set",
            "is_default": False,
            "unit": "",
            "doc": "Secret of the guard's app registration.",
        }
    ],
    "you": {"name": "Olga Berg", "object_id": _USER_ID, "proof": "entra", "roles": ["Operator"]},
}
PROBLEM: Final = {
    "type": "urn:mailbox-guard:decision-unknown",
    "title": "Not Found",
    "status": 404,
    "detail": "No decision has the id 019acb12.",
    "code": "decision-unknown",
    "hint": "`mailbox-guard decisions list` shows the ids; their first characters are enough.",
}


ANSWERS: Final[dict[str, Any]] = {
    "approve_hold": HOLD_APPROVED,
    "list_holds": HOLDS,
    "refuse_hold": HOLD_REFUSED,
    "show_hold": HOLD_WHOLE,
    "draft_exceptions": EXCEPTION_DRAFTS,
    "draft_test": TEST_DRAFT,
    "explain_decision": EXPLANATION,
    "list_access": ACCESS,
    "list_brakes": STOPS,
    "list_decisions": DECISIONS,
    "list_exceptions_in_force": EXCEPTIONS,
    "list_mailboxes": MAILBOXES,
    "pause_mailbox": DONE,
    "release_brake": STOPS,
    "replay_decision": REPLAY,
    "resume_mailbox": DONE,
    "show_decision": DECISION_WHOLE,
    "show_mailbox": MAILBOX_WHOLE,
    "show_policies": POLICIES,
    "show_system": SYSTEM,
    "try_change": {**EXPLANATION, "not_given": ["actor.objectId"]},
    "withdraw_mailbox": DONE,
}
"""A good answer of each route, by its name."""

BODIES: Final[dict[str, Any]] = {
    "approve_hold": {"reason": "Agreed with the owner of the address."},
    "refuse_hold": {"reason": "Nobody asked for it."},
    "pause_mailbox": {"reason": "On leave until Monday."},
    "try_change": TRIAL,
    "withdraw_mailbox": {"reason": "She left the company."},
}
"""A body that each route takes, by its name."""
