"""The shipped policy folder fitted to an organisation: its domains, its VIPs, its profiles. Pure.

The shipped tests speak of the sample organisation. Their names are exchanged for those of this one,
and cases of its own are added; which of them fit is found out by whoever writes the folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping

from console.day_one.answers import Answers
from rules.operators.likeness import Likenesses

SAMPLE_DOMAIN = "contoso.com"
_SAMPLE_VIP = "ceo@contoso.com"
_SAMPLE_PROFILE = "b7c9a0de-6f0e-4a51-9d5c-6a9e1f9b7a10"
_PROFILE_POLICY = "server-profile-pinned"
_LETTERS_POLICY = "imitating-letters"
OWN_TESTS = "tests/organisation.test.yaml"
_FOREIGN = "elsewhere.example"
_LOOKS = {"o": "0", "l": "1", "i": "1", "e": "3", "s": "5", "a": "4"}
_GREEK = {"o": "\u03bf", "a": "\u03b1", "e": "\u03b5", "i": "\u03b9"}
_LEFT_OUT = ("params/", "lists/", "schema/")


def fitted_texts(shipped: Mapping[str, str], answers: Answers) -> dict[str, str]:
    """Return the files of the folder by their paths, from those that are shipped.

    Policies that would refuse all that this organisation has are left out: see `unfit`.
    """
    found = {}
    left_out = {f"{name}.yaml" for name in unfit(answers)}
    for path, text in shipped.items():
        if path.startswith(_LEFT_OUT) and not path.startswith("lists/role-"):
            continue
        if path in left_out:
            continue
        found[path] = _renamed(text, answers) if path.startswith("tests/") else text
    found |= dict(_lists(answers))
    found[OWN_TESTS] = "".join(_own_tests(answers))
    return found


def unfit(answers: Answers) -> dict[str, str]:
    """Return the policies that do not fit the organisation, each with the reason."""
    found = {}
    if not answers.profiles:
        found[_PROFILE_POLICY] = "no server profile is known, so it would refuse every one"
    if any("xn--" in domain for domain in answers.domains):
        found[_LETTERS_POLICY] = "a domain of this organisation is written in such letters"
    return found


def near_miss(text: str) -> str | None:
    """Return a text that resembles this one by a letter, and is another; None for a short one."""
    of_it = Likenesses([text])
    for place, letter in enumerate(text):
        if letter in _LOOKS:
            near = text[:place] + _LOOKS[letter] + text[place + 1 :]
            if of_it.find(near) is not None:
                return near
    for place in range(1, len(text)):
        if text[place - 1].isalnum() and text[place].isalnum():
            for near in (text[:place] + "-" + text[place:], text[:place] + text[place - 1 :]):
                if of_it.find(near) is not None:
                    return near
    return None


def _renamed(text: str, answers: Answers) -> str:
    """Return a test with the names of this organisation in the place of the sample's."""
    domain = answers.domains[0]
    greek = next(
        (domain.replace(latin, letter, 1) for latin, letter in _GREEK.items() if latin in domain),
        domain,
    )
    pairs = [
        (_SAMPLE_VIP, answers.vips[0].lower()),
        ("contos0.com", near_miss(domain) or "contos0.com"),
        ("c\u03bfntoso.com", greek),
        (SAMPLE_DOMAIN, domain),
    ]
    if answers.profiles:
        pairs.append((_SAMPLE_PROFILE, answers.profiles[0]))
    for sample, ours in pairs:
        # None of them has a backslash, which alone would mean something here.
        text = re.sub(re.escape(sample), ours, text, flags=re.IGNORECASE)
    return text


def _lists(answers: Answers) -> Iterator[tuple[str, str]]:
    yield (
        "lists/allowed-domains.yaml",
        _list(
            "allowed-domains",
            "Domains that an address of this organisation may have.",
            answers.domains,
        ),
    )
    yield (
        "lists/vip-addresses.yaml",
        _list(
            "vip-addresses",
            "People whose mailboxes a second person must look at, each by any one address.",
            answers.vips,
        ),
    )
    if answers.profiles:
        yield (
            "lists/server-profiles.yaml",
            _list(
                "server-profiles",
                "Ids of the server profiles that a mailbox may use.",
                answers.profiles,
            ),
        )


def _list(name: str, description: str, items: tuple[str, ...]) -> str:
    lines = "".join(f"  - {json.dumps(item)}\n" for item in items)
    return (
        "# yaml-language-server: $schema=../schema/list.schema.json\n"
        f"kind: List\nname: {name}\ndescription: {description}\ncaseless: true\nitems:\n{lines}"
    )


def _own_tests(answers: Answers) -> Iterator[str]:
    domain, vip = answers.domains[0], answers.vips[0]
    yield f"""\
# yaml-language-server: $schema=../schema/test.schema.json
title: What this organisation's own lists decide
fixtures:
  queue:
    operation: update
    entity: queue
    old: &queue
      emailaddress: {json.dumps(f"helpdesk@{domain}")}
      approval: pending
      statecode: active
      ownerid: {{id: u6, type: systemuser}}
      owner: {{id: q1, type: queue, upn: null, entraUpn: null, objectId: null}}
      addressOwner: {{count: 1, objectId: o5, upn: {json.dumps(f"helpdesk@{domain}")}, type: user, \
isPerson: false, isEnabled: false, isDeleted: false}}
    new: {{<<: *queue}}
    actor: {{id: u1, objectId: o1, upn: {json.dumps(f"anna@{domain}")}, kind: user, \
recentChanges: 1, similarChanges: 1}}
    facts: {{addressElsewhere: 0, formerAddresses: [], formerHolderLeft: false, \
addressChangedBy: null, ownerIsLicensed: true, mailboxPurpose: user, stewardLeft: false, \
ownerElsewhere: 0}}
cases:
  - name: an address of a foreign domain
    use: queue
    set: {{new.emailaddress: sales@{_FOREIGN}}}
    expect: {{decision: reject, rules: [allowed-domains/domain-on-list]}}
"""
    yield """\
  - name: a domain in letters that imitate others
    use: queue
    set: {new.emailaddress: sales@xn--elsewhere-qya.example}
    expect:
      decision: reject
      rules: [allowed-domains/domain-on-list, imitating-letters/plain-letters]
"""
    for one in answers.domains:
        yield f"""\
  - name: an address of {one}
    use: queue
    set: {{new.emailaddress: {json.dumps(f"help-center@{one}")}}}
    expect: {{decision: allow}}
"""
    near = near_miss(domain)
    if near is not None:
        yield f"""\
  - name: a domain that only looks like ours
    use: queue
    set: {{new.emailaddress: {json.dumps(f"sales@{near}")}}}
    expect:
      decision: reject
      rules: [allowed-domains/domain-on-list, lookalike-domains/not-a-near-miss]
"""
    yield f"""\
  - name: the address of somebody whom nobody else must read
    use: queue
    set:
      new.emailaddress: {json.dumps(vip)}
      new.addressOwner.objectId: o2
      new.addressOwner.upn: {json.dumps(vip)}
    expect: {{decision: hold, held: [vip-address-held/second-person]}}
"""
    local, _, rest = vip.partition("@")
    like = near_miss(vip) if near_miss(local) else f"{local[:1]}.{local[1:]}@{rest}"
    yield f"""\
  - name: an address that only looks like theirs
    use: queue
    set: {{new.emailaddress: {json.dumps(like)}}}
    expect: {{decision: hold, held: [lookalike-domains/not-like-a-vip]}}
"""
