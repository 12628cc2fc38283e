"""The recipes of deployment parse, name what is there, hold no secret and no right too many."""

from __future__ import annotations

import configparser
import re
import shlex
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import click
import pytest
import yaml

from console.main import cli
from kernel.settings import declarations
from tests.docs.pages import DOCS

FOLDER = DOCS / "deployment"
UNIT = (FOLDER / "mailbox-guard.service").read_text()
CONTAINER = (FOLDER / "Containerfile").read_text()
MANIFEST = (FOLDER / "kubernetes.yaml").read_text()
DOCUMENTS = list(yaml.safe_load_all(MANIFEST))
SECRET = re.compile(r"(SECRET|KEYS?|PASSWORD|TOKEN|DATABASE_URL|[a-z]assword)\s*[:=]\s*\S")
NAMED = re.compile(r"MAILBOX_GUARD_[A-Z_]+")
PATHS = {"/readyz", "/healthz"}
DATA = "/var/lib/mailbox-guard"


def unit() -> dict[str, list[str]]:
    """Return the keys of the service; some stand there several times."""
    found: dict[str, list[str]] = defaultdict(list)
    section = ""
    for line in UNIT.splitlines():
        if line.startswith("["):
            section = line
        elif "=" in line and not line.startswith("#") and section == "[Service]":
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


def pods() -> Iterator[tuple[str, dict[str, Any]]]:
    for one in DOCUMENTS:
        template = (
            one.get("spec", {}).get("template") if isinstance(one.get("spec"), dict) else None
        )
        if template is not None:
            yield f"{one['kind']} {one['metadata']['name']}", template["spec"]


def is_understood(arguments: list[str]) -> bool:
    """Return whether the command line names a command that is there, with options that it has."""
    command: click.Command = cli
    words = list(arguments)
    context = click.Context(cli)
    while isinstance(command, click.Group):
        found = command.get_command(context, words.pop(0))
        if found is None:
            return False
        command = found
    options = {name for one in command.params for name in one.opts}
    return all(word in options for word in words if word.startswith("--"))


@pytest.mark.parametrize("text", [UNIT, CONTAINER, MANIFEST], ids=["unit", "container", "manifest"])
def test_no_secret_stands_inside_and_every_setting_is_one(text: str) -> None:
    told = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    assert SECRET.findall(told) == []
    assert set(NAMED.findall(told)) <= declarations().keys()
    assert DATA in told


def test_the_unit_runs_serve_as_a_user_of_its_own() -> None:
    parser = configparser.RawConfigParser(strict=False, interpolation=None)
    parser.read_string(UNIT)
    assert parser.sections() == ["Unit", "Service", "Install"]
    service = unit()
    program, *arguments = shlex.split(service["ExecStart"][0])
    assert program.startswith("/opt/")
    assert is_understood(arguments)
    assert service["DynamicUser"] == ["yes"]
    assert "User" not in service
    assert service["StateDirectory"] == ["mailbox-guard"]
    assert f"MAILBOX_GUARD_DATA_DIR={DATA}" in service["Environment"]
    for name in ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "RestrictSUIDSGID"):
        assert service[name] == ["yes"], name
    assert service["ProtectSystem"] == ["strict"]
    assert service["CapabilityBoundingSet"] == [""]
    # The guard needs ten seconds to stop what hangs, and some more to write.
    assert int(service["TimeoutStopSec"][0]) >= 30


def test_the_image_is_of_the_wheel_and_runs_as_nobody() -> None:
    steps = CONTAINER.replace("\\\n", " ").splitlines()
    told = [line.split(maxsplit=1) for line in steps if line and not line.startswith("#")]
    names = [name for name, _ in told]
    assert any(name == "COPY" and rest.startswith("dist/*.whl") for name, rest in told)
    last = max(at for at, name in enumerate(names) if name == "FROM")
    user = next(rest for name, rest in told[last:] if name == "USER")
    assert re.fullmatch(r"[1-9]\d+:[1-9]\d+", user)
    check = next(rest for name, rest in told if name == "HEALTHCHECK")
    assert "/healthz" in check
    command = next(rest for name, rest in told if name == "CMD")
    assert is_understood(yaml.safe_load(command))
    # What is copied later would be root's to write; nothing is fetched but the wheel's needs.
    assert not any(name == "ADD" for name in names)
    assert all("curl" not in rest and "apt" not in rest for _, rest in told)


@pytest.mark.parametrize(("name", "pod"), list(pods()), ids=[name for name, _ in pods()])
def test_a_pod_has_the_least_rights(name: str, pod: dict[str, Any]) -> None:
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    (container,) = pod["containers"]
    own = container["securityContext"]
    assert own["readOnlyRootFilesystem"] is True
    assert own["allowPrivilegeEscalation"] is False
    assert own["capabilities"] == {"drop": ["ALL"]}
    assert "memory" in container["resources"]["limits"]
    assert is_understood(container["args"])
    assert "env" not in container
    volumes = {one["name"] for one in pod["volumes"]}
    assert {one["name"] for one in container["volumeMounts"]} == volumes
    assert DATA in {one["mountPath"] for one in container["volumeMounts"]}
    for probe in ("readinessProbe", "livenessProbe"):
        if probe in container:
            assert container[probe]["httpGet"]["path"] in PATHS


def test_what_faces_the_network_cannot_read_mail_and_is_asked_whether_it_decides() -> None:
    found = dict(pods())
    receiver = found["Deployment mailbox-guard"]["containers"][0]
    assert "--no-sync" in receiver["args"]
    assert receiver["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert receiver["livenessProbe"]["httpGet"]["path"] == "/healthz"
    secrets = {
        one["secretRef"]["name"]
        for name, pod in found.items()
        for one in pod["containers"][0]["envFrom"]
        if "secretRef" in one and "sync" not in name
    }
    assert secrets == {"mailbox-guard"}


def test_the_service_leads_to_the_receivers() -> None:
    by_kind = {(one["kind"], one["metadata"]["name"]): one for one in DOCUMENTS}
    chosen = by_kind["Service", "mailbox-guard"]["spec"]["selector"]
    labels = by_kind["Deployment", "mailbox-guard"]["spec"]["template"]["metadata"]["labels"]
    assert chosen == labels
    assert by_kind["Deployment", "mailbox-guard"]["spec"]["replicas"] >= 3
    assert not [kind for kind, _ in by_kind if kind == "Secret"]
