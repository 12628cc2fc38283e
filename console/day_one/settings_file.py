"""The settings file of the first day: everything that is no secret, and where secrets go. Pure."""

from __future__ import annotations

import json

from console.day_one.answers import Answers

_SECRETS = """\
# Secrets stand in no file of this folder. Give them in the environment of the service, or in a file
# that only its user may read (systemd: EnvironmentFile= or LoadCredential=):
#   MAILBOX_GUARD_CLIENT_SECRET       or client_certificate_file below, which is better
#   MAILBOX_GUARD_WEBHOOK_KEYS        32 random characters or more, known to Dataverse alone
#   MAILBOX_GUARD_SYNC_CLIENT_SECRET  of the second application, once mail is to be synced
"""


def settings_text(answers: Answers, *, policies: str) -> str:
    """Return `mailbox-guard.toml` for these answers; the guard begins by observing."""
    lines = [
        "# Settings of Mailbox Guard; every one is explained in docs/settings.md.",
        _SECRETS,
        *_given("dataverse_url", answers.dataverse_url, "the origin of the organisation"),
        *_given("tenant_id", answers.tenant_id, "the Entra tenant"),
        *_given("client_id", answers.client_id, "the guard's app registration"),
        f"policies_dir = {json.dumps(policies)}",
        "",
        "# The first week: everything goes through, and what would be rejected is recorded.",
        'enforcement = "observe"',
        "",
    ]
    if answers.approver_role_id:
        lines += [
            "# The security role Delegated Mailbox Approver, known by its id.",
            f"delegated_approver_role_id = {json.dumps(answers.approver_role_id)}",
            "",
        ]
    lines += [
        "# A mailbox that no application may read, such as a room's; `mailbox-guard doctor` asks.",
        '# canary_object_id = "00000000-0000-0000-0000-000000000000"',
        "",
    ]
    return "\n".join(lines)


def _given(name: str, value: str, what: str) -> list[str]:
    """Return the line of a setting, or what is still to be filled in."""
    if value:
        return [f"{name} = {json.dumps(value)}"]
    return [f'# {name} = ""  # still to be given: {what}']
