"""The same six rules in engines that were not written here, for one benchmark run beside ours.

Each judge takes a change and its facts and returns the ids of the rules that fail; reading the
change into the engine's own values is inside the clock, as it is for us. What an engine cannot say
(folding, taking a domain, regular expressions) the host computes before, as its users must.
An engine that is not installed is not measured.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rules.model.change import Change, Facts

Judge = Callable[[Change, Facts], list[str]]
_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_ROLE = "vip mailbox approver"


def judges(vips: frozenset[str], domains: frozenset[str], profile: str) -> dict[str, Judge | str]:
    """Return each judge by its name; a text says why one is not measured."""
    makers: dict[str, Callable[..., Judge]] = {
        "cel-expr-python": _google,
        "common-expression-language": _rust,
        "cedarpy": _cedar,
        "celpy": _celpy,
        "c7n": _custodian,
    }
    found: dict[str, Judge | str] = {}
    for name, make in makers.items():
        try:
            found[name] = make(vips, domains, profile)
        except ImportError:
            found[name] = "not measured (not installed)"
    return found


def _prepared(change: Change, facts: Facts) -> dict[str, Any]:
    """Return the values of a change, folded and taken apart by the host."""
    after, values = change.after, facts.values
    address: Any = after["emailaddress"]
    folded = address.lower()
    local, _, domain = folded.rpartition("@")
    roles: Any = values["actor.roles"]
    return {
        "address": folded,
        "domain": domain,
        "plain": _PATTERN.fullmatch(local) is not None,
        "upn": str(values["new.owner.upn"]).lower(),
        "kind": values["new.owner.type"],
        "actor": str(values["actor.id"]).lower(),
        "owner": str(values["new.owner.id"]).lower(),
        "roles": [role.lower() for role in roles],
        "profile": str(after["emailserverprofile.id"]).lower(),
    }


_PASSES = {
    "same-as-upn": 'kind in ["queue", "team"] || address == upn',
    "vip-role": f'!(address in vips) || "{_ROLE}" in roles',
    "not-the-owner": "actor != owner || address == upn",
    "domain-allowed": "domain in domains",
    "plain-local-part": "plain",
    "profile-pinned": "profile == pinned",
}


def _google(vips: frozenset[str], domains: frozenset[str], profile: str) -> Judge:
    from cel_expr_python import cel
    from cel_expr_python.ext import ext_strings

    text, boolean = cel.Type.STRING, cel.Type.BOOL

    def host(name: str, test: Callable[[str], bool]) -> Any:
        overload = cel.Overload(
            id=f"{name}_text", return_type=boolean, parameters=[text], is_member=False, impl=test
        )
        return cel.FunctionDecl(name, [overload])

    functions = [
        host("isVip", vips.__contains__),
        host("isAllowed", domains.__contains__),
        host("isPlain", lambda value: _PATTERN.fullmatch(value) is not None),
    ]
    names = {
        "new.emailaddress": text, "new.owner.upn": text, "new.owner.type": text,
        "new.owner.id": text, "actor.id": text, "actor.roles": cel.Type.List(text),
        "new.emailserverprofile.id": text,
    }  # fmt: skip
    env = cel.NewEnv(
        variables=names,
        extensions=[ext_strings.ExtStrings(4), cel.CelExtension("host", functions)],
    )
    own = "new.emailaddress.lowerAscii() == new.owner.upn.lowerAscii()"
    at = 'new.emailaddress.lastIndexOf("@")'
    programs = {
        "same-as-upn": f'new.owner.type in ["queue", "team"] || {own}',
        "vip-role": "!isVip(new.emailaddress.lowerAscii()) || "
        f'actor.roles.exists(r, r.lowerAscii() == "{_ROLE}")',
        "not-the-owner": f"actor.id.lowerAscii() != new.owner.id.lowerAscii() || {own}",
        "domain-allowed": f"isAllowed(new.emailaddress.substring({at} + 1).lowerAscii())",
        "plain-local-part": f"isPlain(new.emailaddress.substring(0, {at}))",
        "profile-pinned": f'new.emailserverprofile.id.lowerAscii() == "{profile}"',
    }
    compiled = [(rule, env.compile(source)) for rule, source in programs.items()]

    def judge(change: Change, facts: Facts) -> list[str]:
        after, values = change.after, facts.values
        data = {
            "new.emailaddress": after["emailaddress"],
            "new.emailserverprofile.id": after["emailserverprofile.id"],
            "new.owner.upn": values["new.owner.upn"],
            "new.owner.type": values["new.owner.type"],
            "new.owner.id": values["new.owner.id"],
            "actor.id": values["actor.id"],
            "actor.roles": list(values["actor.roles"]),  # type: ignore[arg-type]
        }
        activation = env.Activation(data)
        # Only `is True` may be tested: an error is a value whose text is true.
        return [rule for rule, program in compiled if program.eval(activation).value() is not True]

    return judge


def _rust(vips: frozenset[str], domains: frozenset[str], profile: str) -> Judge:
    import cel

    compiled = [(rule, cel.compile(source)) for rule, source in _PASSES.items()]
    context = cel.Context({"vips": sorted(vips), "domains": sorted(domains), "pinned": profile})

    def judge(change: Change, facts: Facts) -> list[str]:
        for name, value in _prepared(change, facts).items():
            context.add_variable(name, value)
        return [rule for rule, program in compiled if program.execute(context) is not True]

    return judge


def _celpy(vips: frozenset[str], domains: frozenset[str], profile: str) -> Judge:
    import celpy

    env = celpy.Environment()
    programs = [(rule, env.program(env.compile(source))) for rule, source in _PASSES.items()]
    known = {
        "vips": celpy.json_to_cel(sorted(vips)),
        "domains": celpy.json_to_cel(sorted(domains)),
        "pinned": celpy.json_to_cel(profile),
    }

    def judge(change: Change, facts: Facts) -> list[str]:
        values: Any = {
            **known, **{k: celpy.json_to_cel(v) for k, v in _prepared(change, facts).items()}
        }  # fmt: skip
        return [rule for rule, program in programs if not program.evaluate(values)]

    return judge


_CEDAR = """
@id("same-as-upn") forbid(principal, action, resource)
when { !(context.kind == "queue" || context.kind == "team") && context.address != context.upn };
@id("vip-role") forbid(principal, action, resource)
when { VIPS.contains(context.address) && !context.roles.contains("ROLE") };
@id("not-the-owner") forbid(principal, action, resource)
when { context.actor == context.owner && context.address != context.upn };
@id("domain-allowed") forbid(principal, action, resource)
when { !DOMAINS.contains(context.domain) };
@id("plain-local-part") forbid(principal, action, resource) when { !context.plain };
@id("profile-pinned") forbid(principal, action, resource) when { context.profile != "PROFILE" };
@id("otherwise") permit(principal, action, resource);
"""


def _cedar(vips: frozenset[str], domains: frozenset[str], profile: str) -> Judge:
    import json

    import cedarpy

    text = _CEDAR.replace("VIPS", json.dumps(sorted(vips)))
    text = text.replace("DOMAINS", json.dumps(sorted(domains)))
    text = text.replace("ROLE", _ROLE).replace("PROFILE", profile)
    policies = cedarpy.PolicySet.from_str(text)
    entities = cedarpy.Entities.from_json_str("[]")
    order = {f"policy{n}": rule for n, rule in enumerate(_PASSES)}
    fixed = {"principal": 'User::"u"', "action": 'Action::"update"', "resource": 'Row::"r"'}

    def judge(change: Change, facts: Facts) -> list[str]:
        request = {**fixed, "context": _prepared(change, facts)}
        diagnostics = cedarpy.is_authorized(request, policies, entities).diagnostics
        assert not diagnostics.errors, diagnostics.errors
        return [
            order.get(one, one) for one in diagnostics.reasons if order.get(one, one) in _PASSES
        ]

    return judge


def _custodian(vips: frozenset[str], domains: frozenset[str], profile: str) -> Judge:
    from c7n.filters.core import ValueFilter

    def test(key: str, value: Any, op: str = "eq") -> Any:
        return ValueFilter({"type": "value", "key": key, "value": value, "op": op})

    upn = test("own", True)
    checks: dict[str, list[Any]] = {
        "same-as-upn": [test("kind", ["queue", "team"], "in"), upn],
        "vip-role": [test("address", sorted(vips), "not-in"), test("roles", _ROLE, "contains")],
        "not-the-owner": [test("other", True), upn],
        "domain-allowed": [test("domain", sorted(domains), "in")],
        "plain-local-part": [test("plain", True)],
        "profile-pinned": [test("profile", profile)],
    }

    def judge(change: Change, facts: Facts) -> list[str]:
        row = _prepared(change, facts)
        # It compares a field with a value, never with another field: the host does.
        row["own"], row["other"] = row["address"] == row["upn"], row["actor"] != row["owner"]
        return [rule for rule, either in checks.items() if not any(one(row) for one in either)]

    return judge
