"""The files with which a new policy begins: they load, lint clean and pass, and ask no question."""

from __future__ import annotations

_POLICY = """\
# yaml-language-server: $schema={schema}/policy.schema.json
apiVersion: guard/v1
kind: Policy
name: {name}
title: Say in one line what must be true
description: >-
  Say which harm this prevents, and what people should do instead.
severity: medium
category: addresses
mode: audit # recorded only; go on to warn and enforce when you have seen what it would do

match:
  entity: [mailbox, systemuser, queue]
  operations: [create, update]
  when:
    - field: address
      changed: true
    - field: address
      exists: true

rules:
  - id: known-domain
    require:
      - field: address
        part: domain
        in: [contoso.com]
    message: "The domain of {{address}} is not one of ours."
    help: Use an address of the organisation.
"""
_TEST = """\
# yaml-language-server: $schema={schema}/test.schema.json
now: 2026-01-01T00:00:00Z
policies: [{name}]
fixtures:
  an-address:
    operation: update
    entity: mailbox
    old: {{address: anna@contoso.com}}
    new: {{}}
cases:
  - name: what is right passes
    use: an-address
    set: {{new.address: anna.berg@contoso.com}}
    expect: {{decision: allow, audited: []}}
  - name: an edit of something else is not looked at
    use: an-address
    set: {{new.statecode: inactive}}
    expect: {{decision: allow, audited: []}}
  - name: an address may be emptied
    use: an-address
    set: {{new.address: null}}
    expect: {{decision: allow, audited: []}}
  - name: what is wrong is noticed
    use: an-address
    set: {{new.address: anna@elsewhere.example}}
    expect: {{decision: allow, audited: [{name}/known-domain]}}
"""


def policy_text(name: str, *, schema: str) -> str:
    """Return the text of a new policy; `schema` is the way from its folder to the schemas."""
    return _POLICY.format(name=name, schema=schema)


def test_text(name: str, *, schema: str) -> str:
    """Return the text of the test of a new policy."""
    return _TEST.format(name=name, schema=schema)
