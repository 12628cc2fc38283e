"""`serve` as a process: what it refuses to start with, and the mend that it names."""

from __future__ import annotations

import re
import socket
import sqlite3
from pathlib import Path

import pytest

from tests.end_to_end.processes import Processes, free_port
from tests.end_to_end.tenant_cloud import TenantCloud
from tests.webhook_examples.examples import tenant

pytestmark = pytest.mark.slow
KEY = tenant()["webhook_key"]
FOREVER = """\
apiVersion: guard/v1
kind: Exception
name: fabrikam-merger
policy: own-address-only
rules: [same-as-owner]
reason: Fabrikam users keep their old address until cut-over.
ticket: CHG-20417
approvedBy: ciso@contoso.com
expires: 2099-12-31
"""


def spoil(folder: Path, name: str, before: str, after: str) -> None:
    path = next(folder.rglob(name))
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")


class TestRefusals:
    """What cannot be served is said in words, with exit code 2 and without a traceback."""

    def refused(self, group: Processes, *arguments: str, **settings: str) -> str:
        done = group.run("serve", "--port", "0", *arguments, seconds=30, **settings)
        assert (done.returncode, done.stdout) == (2, ""), done.stderr
        assert "Traceback" not in done.stderr
        assert done.stderr.startswith("error: ")
        assert "\nhint: " in done.stderr
        return done.stderr

    def test_an_invalid_policy_folder_with_every_complaint(
        self, group: Processes, policies: Path
    ) -> None:
        spoil(policies, "own-address-only.yaml", "mode: enforce", "mode: enforced")
        spoil(policies, "vip-address-held.yaml", "effect: hold", "effect: hodl")
        told = self.refused(group, policies_dir=str(policies))
        places = re.findall(r"^(\S+\.yaml):\d+:\d+: .+ \[[a-z-]+\]$", told, re.MULTILINE)
        assert sorted(Path(place).name for place in places) == [
            "own-address-only.yaml",
            "vip-address-held.yaml",
        ]
        assert "`enforce`" in told
        assert "`hold`" in told

    def test_a_folder_in_which_nothing_is_enforced(self, group: Processes, policies: Path) -> None:
        for path in policies.rglob("*.yaml"):
            path.write_text(path.read_text("utf-8").replace("mode: enforce", "mode: audit"))
        assert "no enforced policy" in self.refused(group, policies_dir=str(policies))

    def test_an_empty_folder(self, group: Processes, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert "no enforced policy" in self.refused(group, policies_dir=str(tmp_path / "empty"))

    def test_a_folder_that_is_not_there(self, group: Processes, tmp_path: Path) -> None:
        told = self.refused(group, policies_dir=str(tmp_path / "nowhere"))
        assert f"MAILBOX_GUARD_POLICIES_DIR names {tmp_path / 'nowhere'}" in told

    def test_a_set_that_is_not_the_pinned_one(self, group: Processes) -> None:
        told = self.refused(group, policies_digest="0" * 64)
        assert "is pinned" in told
        digest = re.search(r"has digest ([0-9a-f]{64})", told)
        assert digest is not None
        # The case in which a digest is written is nobody's matter.
        group.serve("--no-sync", policies_digest=digest[1].upper())

    def test_an_exception_that_ends_too_late(self, group: Processes, policies: Path) -> None:
        (policies / "exceptions").mkdir(exist_ok=True)
        (policies / "exceptions" / "forever.yaml").write_text(FOREVER)
        told = self.refused(group, policies_dir=str(policies)).splitlines()
        [complaint] = [line for line in told if line.startswith("exceptions/forever.yaml:9:10: ")]
        assert "2099-12-31, more than 180 days ahead." in complaint
        assert complaint.endswith("[exception-too-long]")

    @pytest.mark.parametrize("keys", ["", "short", f"{KEY},{'ab' * 20}"])
    def test_no_webhook_key_or_one_that_could_be_guessed(self, group: Processes, keys: str) -> None:
        told = self.refused(group, webhook_keys=keys)
        assert "MAILBOX_GUARD_WEBHOOK_KEYS" in told
        assert "secrets.token_urlsafe(32)" in told

    @pytest.mark.parametrize(
        ("setting", "value"),
        [
            ("enforcement", "perhaps"),
            ("decision_deadline_seconds", "soon"),
            ("dataverse_url", "contoso.crm.dynamics.com"),
            ("client_id", "7a000000-0000-4000-8000-000000000011"),
        ],
    )
    def test_an_invalid_or_lonely_setting(self, group: Processes, setting: str, value: str) -> None:
        told = self.refused(group, **{setting: value})
        assert "MAILBOX_GUARD_" in told

    @pytest.mark.parametrize("part", ["sync_client_id", "sync_client_secret"])
    def test_half_of_a_second_identity(
        self, group: Processes, cloud: TenantCloud, part: str
    ) -> None:
        given = {**cloud.settings, part: "7a000000-0000-4000-8000-000000000012"}
        assert "MAILBOX_GUARD_SYNC_CLIENT_" in self.refused(group, **given)
        # Where nothing is synced it is never looked at.
        group.serve("--no-sync", **given)

    def test_a_certificate_file_that_holds_none(
        self, group: Processes, cloud: TenantCloud, tmp_path: Path
    ) -> None:
        file = tmp_path / "certificate.pem"
        file.write_text("hello")
        given = {**cloud.settings, "client_secret": "", "client_certificate_file": str(file)}
        told = self.refused(group, **given)
        assert "MAILBOX_GUARD_CLIENT_CERTIFICATE_FILE" in told
        assert str(file) in told

    def test_a_setting_that_is_not_known(self, group: Processes) -> None:
        assert "MAILBOX_GUARD_POLICIES_DIR" in self.refused(group, policy_dir="policies")

    def test_a_port_in_use(self, group: Processes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            told = self.refused(group, "--port", str(port))
        assert f"127.0.0.1:{port}" in told
        assert "--port" in told

    def test_a_database_of_another_schema(self, group: Processes) -> None:
        assert group.run("db", "upgrade").returncode == 0
        with sqlite3.connect(group.folder / "data" / "mailbox-guard.db") as database:
            database.execute("UPDATE kernel_schema SET number = 9999")
        database.close()
        assert "schema 9999" in self.refused(group)
        upgraded = group.run("db", "upgrade")
        assert (upgraded.returncode, upgraded.stdout) == (2, "")
        assert "schema 9999" in upgraded.stderr

    def test_a_second_server_on_the_same_data(self, group: Processes) -> None:
        first = group.serve("--no-sync")
        told = self.refused(group, "--port", str(free_port()))
        assert f"Process {first.popen.pid} already serves" in told
        assert first.readiness()[0] == 200
        first.kill()
        assert group.serve("--no-sync").readiness()[0] == 200
