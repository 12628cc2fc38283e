"""`mailbox-guard policy` helps whoever writes policies, without any server."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from rules.syntax.shipped import shipped_folder
from tests.console.conftest import Run
from tests.console.recording import a_folder

POLICY = """\
apiVersion: mailbox-guard/v1
kind: Policy
metadata:
  name: own-only
"""
CHANGE = """\
operation: update
entity: mailbox
old: {emailaddress: anna.old@contoso.com}
new:
  emailaddress: ceo@contoso.com
  owner: {upn: anna@contoso.com, type: user}
actor: {kind: user, upn: anna@contoso.com}
"""


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A copy of the shipped policies that a test may spoil."""
    folder = tmp_path / "policies"
    for path in shipped_folder().rglob("*.yaml"):
        copy = folder / path.relative_to(shipped_folder())
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    return folder


def spoil(folder: Path, name: str, before: str, after: str) -> Path:
    path = next(folder.rglob(name))
    text = path.read_text("utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), "utf-8")
    return path


def test_the_shipped_folder_is_valid_and_needs_no_name(run: Run) -> None:
    done = run("policy", "validate")
    assert done.code == 0
    assert re.search(
        r"valid\. \d+ policies, \d+ rules, \d+ enforced\. Digest [0-9a-f]{64}\.", done.out
    )


def test_the_digest_does_not_depend_on_where_the_folder_is(run: Run, shipped: Path) -> None:
    one = json.loads(run("policy", "validate", "--output", "json").out)
    other = json.loads(run("policy", "validate", shipped, "--output", "json").out)
    assert other["valid"] is True
    assert one["digest"] == other["digest"]


def test_every_mistake_is_told_at_once_with_its_place(run: Run, shipped: Path) -> None:
    one = spoil(shipped, "own-address-only.yaml", "mode: enforce", "mode: enforced")
    spoil(shipped, "vip-address-held.yaml", "effect: hold", "effect: hodl")
    done = run("policy", "validate", shipped)
    assert done.code == 2
    places = re.findall(r"^(\S+\.yaml):(\d+):(\d+): .+ \[([a-z-]+)\]$", done.out, re.MULTILINE)
    assert {Path(place[0]).name for place in places} == {
        "own-address-only.yaml",
        "vip-address-held.yaml",
    }
    file, line, column, code = next(p for p in places if p[0].endswith(one.name))
    text = (shipped / file).read_text("utf-8").splitlines()[int(line) - 1]
    assert text[int(column) - 1 :].startswith(("enforced", "mode"))
    assert code == "mode-unknown"
    assert "`enforce`" in done.out
    assert "not valid, 2 complaints." in done.out


def test_complaints_are_json_too(run: Run, shipped: Path, tmp_path: Path) -> None:
    spoil(shipped, "own-address-only.yaml", "mode: enforce", "mode: enforced")
    done = run("policy", "validate", shipped, "--output", "json=report.json")
    assert (done.code, done.out) == (2, "")
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["valid"] is False
    (complaint,) = report["complaints"]
    assert complaint.keys() >= {"file", "line", "column", "code", "text", "hint", "level"}


def test_a_folder_that_is_not_there_is_a_complaint(run: Run) -> None:
    done = run("policy", "validate", "nowhere")
    assert done.code == 2
    assert "[folder-unreadable]" in done.out


def test_text_that_is_no_yaml_is_a_complaint(run: Run, shipped: Path) -> None:
    (shipped / "broken.yaml").write_text("kind: [Policy\n")
    done = run("policy", "validate", shipped)
    assert done.code == 2
    assert "broken.yaml:" in done.out
    assert "[yaml-syntax]" in done.out


def test_the_folder_comes_from_the_setting_when_none_is_named(
    run: Run, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(shipped, "own-address-only.yaml", "mode: enforce", "mode: enforced")
    monkeypatch.setenv("MAILBOX_GUARD_POLICIES_DIR", str(shipped))
    assert run("policy", "validate").code == 2


def test_an_environment_without_params_is_a_complaint(run: Run, shipped: Path) -> None:
    done = run("policy", "validate", shipped, "--environment", "moon")
    assert done.code == 2
    assert "[environment-unknown]" in done.out


def test_the_shipped_cases_pass(run: Run) -> None:
    done = run("policy", "test")
    assert done.code == 0
    count, total = re.findall(r"(\d+) of (\d+) cases passed", done.out)[0]
    assert int(count) == int(total) > 0


def test_a_case_that_fails_is_shown_with_its_difference(run: Run, shipped: Path) -> None:
    spoil(shipped, "own-address-only.yaml", "mode: enforce", "mode: audit")
    done = run("policy", "test", shipped)
    assert done.code == 1
    assert re.search(r"^FAIL  \S+\.test\.yaml:\d+  \S", done.out, re.MULTILINE)
    report = json.loads(run("policy", "test", shipped, "--output", "json").out)
    assert report["failed"]
    assert report["failed"][0]["differences"]


def test_cases_can_be_chosen_by_name(run: Run) -> None:
    every = json.loads(run("policy", "test", "--output", "json").out)["cases"]
    some = json.loads(run("policy", "test", "-k", "address", "--output", "json").out)["cases"]
    assert 0 < some < every


def test_a_folder_that_does_not_load_has_no_cases_to_run(run: Run, shipped: Path) -> None:
    spoil(shipped, "own-address-only.yaml", "mode: enforce", "mode: enforced")
    done = run("policy", "test", shipped)
    assert done.code == 2
    assert "[mode-unknown]" in done.err


def test_a_rejected_change_is_a_no_with_the_reason_in_words(run: Run, tmp_path: Path) -> None:
    (tmp_path / "change.yaml").write_text(CHANGE)
    done = run("policy", "check", "change.yaml", "--now", "2026-11-23T12:00:00Z")
    assert done.code == 1
    assert done.out.startswith("REJECT\n")
    assert "own-address-only/same-as-owner" in done.out
    shown = json.loads(run("policy", "check", "change.yaml", "--output", "json").out)
    assert shown["decision"] == "reject"
    assert {one["rule"] for one in shown["findings"]} >= {"same-as-owner"}


def test_an_allowed_change_is_a_yes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "change.yaml").write_text(CHANGE.replace("ceo@", "Anna@"))
    done = run("policy", "check", "change.yaml")
    assert (done.code, done.out.splitlines()[0]) == (0, "ALLOW")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (CHANGE.replace("emailaddress: ceo", "emailadress: ceo"), "emailaddress"),
        ("operation: [", "change.yaml:"),
        ("", "change.yaml"),
        ("- a list", "change.yaml"),
    ],
)
def test_a_change_that_cannot_be_understood_is_named(
    run: Run, tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "change.yaml").write_text(text)
    done = run("policy", "check", "change.yaml")
    assert (done.code, done.out) == (2, "")
    assert told in done.err


def test_a_strangers_policy_does_not_steer_the_terminal(run: Run, tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text('kind: Policy\nname: "\\e[2J\\e]0;x"\n')
    for verb in ("validate", "lint"):
        done = run("policy", verb, tmp_path)
        assert done.code == 2
        assert "\x1b" not in done.out + done.err
        assert "\ufffd[2J" in done.out + done.err


def test_a_change_that_is_not_there_is_named(run: Run) -> None:
    done = run("policy", "check", "nowhere.yaml")
    assert done.code == 2
    assert "nowhere.yaml" in done.err


def test_a_moment_that_is_none_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "change.yaml").write_text(CHANGE)
    done = run("policy", "check", "change.yaml", "--now", "tomorrow")
    assert done.code == 2
    assert "`tomorrow` is not a moment; write 2026-11-23T10:00:00Z." in done.err


def test_the_folder_that_is_taken_without_being_named_is_said(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = run("policy", "validate")
    assert "the shipped policies are taken" in shipped.err
    a_folder(tmp_path / "policies")
    done = run("policy", "validate")
    assert (done.code, done.out.splitlines()[-1].startswith("policies: valid. ")) == (0, True)
    assert done.err == "The folder policies of this directory is taken.\n"


@pytest.mark.parametrize(
    ("case", "line"),
    [
        ("{name: a, use: nobody, expect: {decision: allow}}", 3),
        ("{name: a, change: {new: {adress: a@b.de}}, expect: {decision: allow}}", 3),
        ("{name: a, change: {new: {ewsurl: x}}, expect: {decision: allow}}", 3),
        ("{name: a, change: {}, expect: {decision: maybe}}", 3),
    ],
)
def test_validate_reads_the_tests_too(run: Run, tmp_path: Path, case: str, line: int) -> None:
    folder = a_folder(tmp_path / "policies")
    (folder / "own.test.yaml").write_text(f"kind: Test\ncases:\n  - {case}\n")
    done = run("policy", "validate", folder, "--output", "json")
    told = json.loads(done.out)["complaints"]
    (complaint,) = [one for one in told if one["level"] == "error"]
    assert (done.code, complaint["file"], complaint["line"]) == (2, "own.test.yaml", line)
