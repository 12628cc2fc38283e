"""Measure `decide` against a hand-written function, and what other policies cost.

Prints ratios taken in one interleaved run; absolute figures depend on the machine. Run by
`make bench` or `python -m tests.benchmarks.bench_rules`.
"""

from __future__ import annotations

import gc
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter, process_time, process_time_ns
from typing import Any

from rules.engine.decide import decide
from rules.engine.policy_set import PolicySet
from rules.load.loader import load_documents
from rules.model.change import Change, Facts
from tests.benchmarks.judges import Judge, judges

_NOW = datetime(2026, 8, 21, tzinfo=UTC)
_DOMAINS = [f"domain{n}.example" for n in range(6)] + ["contoso.com", "fabrikam.com"]
_VIPS = [f"vip{n:02d}@contoso.com" for n in range(40)]
_REPEATED = 5
_PROFILE = "b7c9a0de-6f0e-4a51-9d5c-6a9e1f9b7a10"
_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")

_SIX = """
apiVersion: guard/v1
kind: Policy
name: six-rules
title: The six rules of the benchmark
params: {profile: b7c9a0de-6f0e-4a51-9d5c-6a9e1f9b7a10}
match:
  entity: mailbox
  operations: [create, update]
rules:
  - id: same-as-upn
    require: [{field: emailaddress, equals: {field: owner.upn}}]
    unless: [{field: owner.type, in: [queue, team]}]
    message: "{emailaddress} is not {owner.upn}"
  - id: vip-role
    effect: hold
    when: [{field: emailaddress, in: {list: vip-addresses}}]
    require: [{field: actor.roles, contains: VIP Mailbox Approver}]
    message: "{emailaddress} is a VIP"
  - id: not-the-owner
    require:
      - anyOf:
          - {field: actor.id, notEquals: {field: owner.id}}
          - {field: emailaddress, equals: {field: owner.upn}}
    message: "{actor.upn} is the owner"
  - id: domain-allowed
    require: [{field: emailaddress, part: domain, in: {list: allowed-domains}}]
    message: "{emailaddress} is elsewhere"
  - id: plain-local-part
    require: [{field: emailaddress, part: local, matches: "[A-Za-z0-9][A-Za-z0-9._-]{0,62}"}]
    message: "{emailaddress} is not plain"
  - id: profile-pinned
    when: [{field: emailserverprofile.id, exists: true}]
    require: [{field: emailserverprofile.id, equals: {param: profile}}]
    message: "another profile"
"""


_ONE = """
apiVersion: guard/v1
kind: Policy
name: one-rule
title: One rule as people write them
severity: high
match:
  entity: mailbox
  operations: [create, update]
  when:
    - field: emailrouteraccessapproval
      becomes: approved
rules:
  - id: same-as-upn
    require:
      - field: emailaddress
        equals: {field: owner.upn}
    unless:
      - field: owner.type
        in: [queue, team]
    message: "{emailaddress} is not {owner.upn}"
    help: Set the address to the owner's sign-in name.
"""


def _list(name: str, items: list[str]) -> str:
    return f"kind: List\nname: {name}\ncaseless: true\nitems: [{', '.join(items)}]\n"


_LISTS = {
    "lists/vip-addresses.yaml": _list("vip-addresses", _VIPS),
    "lists/allowed-domains.yaml": _list("allowed-domains", _DOMAINS),
}


def _policy_set(policies: dict[str, str]) -> PolicySet:
    return load_documents({**_LISTS, **policies})


def by_hand(change: Change, facts: Facts) -> list[str]:
    """Return the ids of the six rules that fail or err, as a careful programmer would write it.

    It keeps what the language promises: no case, and what is empty, unknown or of another type is
    an error of the rule that reads it.
    """
    failed = []
    after, values = change.after, facts.values
    address: Any = after.get("emailaddress")
    address = address.lower() if isinstance(address, str) else ""
    upn: Any = values.get("new.owner.upn")
    upn = upn.lower() if isinstance(upn, str) else ""
    kind: Any = values.get("new.owner.type")
    if not kind or (kind not in ("queue", "team") and (not address or not upn or address != upn)):
        failed.append("same-as-upn")
    roles: Any = values.get("actor.roles")
    if not address or (
        address in _VIP_SET
        and (roles is None or "vip mailbox approver" not in [role.lower() for role in roles])
    ):
        failed.append("vip-role")
    actor: Any = values.get("actor.id")
    actor = actor.lower() if isinstance(actor, str) else ""
    owner: Any = values.get("new.owner.id")
    owner = owner.lower() if isinstance(owner, str) else ""
    if (not actor or not owner or actor == owner) and (not address or not upn or address != upn):
        failed.append("not-the-owner")
    local, _, domain = address.rpartition("@")
    if not domain or domain not in _DOMAIN_SET:
        failed.append("domain-allowed")
    if not local or not _PATTERN.fullmatch(local):
        failed.append("plain-local-part")
    profile: Any = after.get("emailserverprofile.id")
    if profile is not None and (not isinstance(profile, str) or profile.lower() != _PROFILE):
        failed.append("profile-pinned")
    return failed


_VIP_SET = frozenset(_VIPS)
_DOMAIN_SET = frozenset(_DOMAINS)


def changes() -> list[tuple[Change, Facts]]:
    """Return eight changes with facts, most of them fine, two of them not."""
    made = []
    for n in range(8):
        address = f"Person{n}.Name@Contoso.com"
        before = {
            "name": f"Person {n}", "emailaddress": address, "emailrouteraccessapproval": 2,
            "incomingemaildeliverymethod": 2, "outgoingemaildeliverymethod": 2,
            "actdeliverymethod": 1, "emailserverprofile.id": _PROFILE.upper(),
            "emailserverprofile.type": "emailserverprofile", "ownerid.id": f"u{n}",
            "ownerid.type": "systemuser", "regardingobjectid.id": f"u{n}",
            "regardingobjectid.type": "systemuser", "statecode": 0,
        }  # fmt: skip
        after = {**before, "emailrouteraccessapproval": 1}
        if n == 3:
            after["emailaddress"] = "someone@elsewhere.example"
        values = {
            "actor.id": "a9", "actor.upn": "ops@contoso.com",
            "actor.roles": ("Service Desk", "System Administrator"),
            "new.owner.id": f"u{n}", "new.owner.type": "user",
            "new.owner.upn": f"person{n}.name@contoso.com",
        }  # fmt: skip
        change = Change("mailbox", "update", f"r{n}", before, after, frozenset(after))
        made.append((change, Facts(values, {})))
    return made


class Taken:
    """What runs took that were done in turns.

    Ratios are taken within a turn, so that what else the machine does falls upon both sides.
    """

    def __init__(self, samples: dict[str, list[float]]) -> None:
        self._samples = samples

    def seconds(self, name: str) -> float:
        """Return the median seconds of one run."""
        return statistics.median(self._samples[name])

    def ratio(self, name: str, other: str) -> float:
        """Return the median of how many times as long one run took as the other."""
        pairs = zip(self._samples[name], self._samples[other], strict=True)
        return statistics.median(one / two for one, two in pairs)


def interleaved(
    runs: dict[str, Callable[[], object]],
    *,
    rounds: int = 400,
    clock: Callable[[], float] = process_time,
) -> Taken:
    """Do the runs in turns and return what they took, by processor time unless told otherwise."""
    samples: dict[str, list[float]] = {name: [] for name in runs}
    gc.collect()
    gc.disable()
    for turn in range(rounds):
        order = list(runs) if turn % 2 else list(reversed(runs))
        for name in order:
            start = clock()
            runs[name]()
            samples[name].append(clock() - start)
    gc.enable()
    return Taken(samples)


def _deciding(policy_set: PolicySet, given: list[tuple[Change, Facts]]) -> Callable[[], None]:
    def run() -> None:
        for _ in range(_REPEATED):
            for change, facts in given:
                decide(change, policy_set, facts, now=_NOW)

    return run


def six_rules() -> None:
    """Print what six rules cost against the function written by hand."""
    given = changes()
    policy_set = _policy_set({"policies/six-rules.yaml": _SIX})
    crowded = crowded_set(1000)
    for change, facts in given:
        expected = sorted(by_hand(change, facts))
        for each in (policy_set, crowded):
            decision = decide(change, each, facts, now=_NOW)
            assert sorted(f.rule for f in decision.findings) == expected, decision

    def hand() -> None:
        for _ in range(_REPEATED):
            for change, facts in given:
                by_hand(change, facts)

    passing = [pair for pair in given if not by_hand(*pair)]

    def hand_passing() -> None:
        for _ in range(_REPEATED):
            for change, facts in passing:
                by_hand(change, facts)

    taken = interleaved(
        {
            "hand": hand, "six": _deciding(policy_set, given),
            "crowded": _deciding(crowded, given), "hand-passing": hand_passing,
            "six-passing": _deciding(policy_set, passing),
        }
    )  # fmt: skip
    per = 1e6 / (_REPEATED * len(given))
    print(f"six rules by hand                {taken.seconds('hand') * per:8.2f} us")
    print(
        f"six rules decided                {taken.seconds('six') * per:8.2f} us"
        f"   {taken.ratio('six', 'hand'):5.2f} x hand (reach 6)"
    )
    print(
        "six rules decided, none failing  "
        f"{taken.seconds('six-passing') * 1e6 / (_REPEATED * len(passing)):8.2f} us"
        f"   {taken.ratio('six-passing', 'hand-passing'):5.2f} x hand"
    )
    print(
        f"and 1,000 for other fields       {taken.seconds('crowded') * per:8.2f} us"
        f"   {(taken.ratio('crowded', 'six') - 1) * 100:+5.1f} % (reach under 5 %)"
    )


def other_engines() -> None:
    """Print what engines that were not written here need for the same six rules."""
    given = changes()
    policy_set = _policy_set({"policies/six-rules.yaml": _SIX})
    runs: dict[str, Callable[[], object]] = {}

    def deciding(judge: Judge) -> Callable[[], None]:
        def run() -> None:
            for _ in range(10):
                for change, facts in given:
                    judge(change, facts)

        return run

    def ours(change: Change, facts: Facts) -> list[str]:
        return [f.rule for f in decide(change, policy_set, facts, now=_NOW).findings]

    found = judges(_VIP_SET, _DOMAIN_SET, _PROFILE)
    for name, judge in {"by hand": by_hand, "ours": ours, **found}.items():
        if isinstance(judge, str):
            continue
        for change, facts in given:
            assert sorted(judge(change, facts)) == sorted(by_hand(change, facts)), name
        runs[name] = deciding(judge)
    taken = interleaved(runs, rounds=15)
    for name in ("by hand", "ours", *found):
        said = found.get(name)
        if isinstance(said, str):
            print(f"six rules, {name:26} {said}")
            continue
        each = taken.seconds(name) * 1e6 / (10 * len(given))
        ratio = taken.ratio(name, "by hand")
        print(f"six rules, {name:26} {each:8.1f} us   {ratio:7.1f} x hand")


_OTHER = (
    "incomingemaildeliverymethod", "outgoingemaildeliverymethod", "actdeliverymethod",
    "isforwardmailbox", "username", "statecode", "testemailconfigurationscheduled",
    "allowemailconnectortousecredentials",
)  # fmt: skip


def crowded_set(others: int) -> PolicySet:
    """Return the six rules and so many other policies, each for a change of another column."""
    documents = {
        f"policies/other-{n:04d}.yaml": _SIX.replace("six-rules", f"other-{n:04d}").replace(
            "operations: [create, update]",
            "operations: [create, update]\n"
            f"  when: [{{field: {_OTHER[n % len(_OTHER)]}, changed: true}}]",
        )
        for n in range(others)
    }
    return _policy_set({"policies/six-rules.yaml": _SIX, **documents})


def hundred_set() -> PolicySet:
    """Return a hundred and two rules that all match."""
    names = [f"hundred-{n:02d}" for n in range(17)]
    return _policy_set({f"policies/{one}.yaml": _SIX.replace("six-rules", one) for one in names})


def hundred_rules() -> None:
    """Print the tail of a decision with a hundred rules that all match, by processor time."""
    policy_set = hundred_set()
    rules = sum(len(policy.tables["mailbox"].rules) for policy in policy_set.policies)
    given = [pair for pair in changes() if not by_hand(*pair)]
    samples = []
    gc.collect()
    gc.disable()
    for _ in range(2000):
        for change, facts in given:
            fresh = replace(change)
            start = process_time_ns()
            decide(fresh, policy_set, facts, now=_NOW)
            samples.append((process_time_ns() - start) / 1000)
    gc.enable()
    samples.sort()
    middle, tail = samples[len(samples) // 2], samples[int(len(samples) * 0.99)]
    print(
        f"{rules} rules that match           p50 {middle:6.1f} us   p99 {tail:6.1f} us"
        "   (reach under 100 us)"
    )


def validating() -> None:
    """Print what `policy validate` of 20 and 1,000 policies costs as a whole process."""
    with tempfile.TemporaryDirectory() as folder:
        # As installed: byte code is kept, and is there from the second run on.
        environ = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environ["PYTHONPYCACHEPREFIX"] = str(Path(folder) / "bytecode")

        def process(*arguments: str) -> Callable[[], object]:
            command = [sys.executable, *arguments]
            return lambda: subprocess.run(command, check=True, capture_output=True, env=environ)

        runs: dict[str, Callable[[], object]] = {
            "nothing": process("-c", "pass"),
            "click": process("-c", "import click"),
        }
        for count in (20, 1000):
            root = Path(folder) / str(count)
            (root / "policies").mkdir(parents=True)
            (root / "lists").mkdir()
            for path, text in _LISTS.items():
                (root / path).write_text(text)
            for n in range(count):
                name = f"policy-{n:04d}"
                (root / "policies" / f"{name}.yaml").write_text(_ONE.replace("one-rule", name))
            runs[str(count)] = process("-m", "console", "policy", "validate", str(root))
        for run in runs.values():
            run()
        taken = interleaved(runs, rounds=9, clock=perf_counter)
    print(f"python -c pass                   {taken.seconds('nothing') * 1000:6.0f} ms")
    print(f"python -c 'import click'         {taken.seconds('click') * 1000:6.0f} ms"
          f"   {taken.ratio('click', 'nothing'):5.1f} x nothing")  # fmt: skip
    for count, reach in ((20, 12), (1000, 40)):
        ratio = taken.ratio(str(count), "nothing")
        print(
            f"policy validate, {count:5d} policies  {taken.seconds(str(count)) * 1000:6.0f} ms"
            f"   {ratio:5.1f} x `python -c pass` (reach {reach})"
        )


def main() -> None:
    """Run all of them."""
    six_rules()
    other_engines()
    hundred_rules()
    validating()


if __name__ == "__main__":
    main()
