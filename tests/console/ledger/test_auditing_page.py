"""Whoever follows the auditor's page, command by command, gets what it says."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from guard.ledger.stored import StoredLedger
from kernel.clock import FrozenClock
from kernel.database import Database
from rules.load.loader import load
from rules.model.change import Change, Facts
from tests.console.conftest import Done, Run
from tests.console.ledger.test_export import a_key
from tests.console.recording import a_folder, recorded
from tests.docs.pages import page

COMMANDS = re.findall(r"^\$ mailbox-guard (.+)$", page("auditing.md"), re.MULTILINE)
AUDIT = Path(__file__).parents[2] / "data" / "audit" / "purview.csv"
ANNA = "anna@contoso.com"
FACTS = Facts({"new.owner.type": "user", "new.owner.upn": ANNA})
BEFORE = {"emailaddress": "old@contoso.com"}
CHANGE = Change("mailbox", "update", "r1", BEFORE, {"emailaddress": ANNA}, frozenset(BEFORE))
# Of the others the answer is yes.
LISTS_SOMETHING = "audit import"


@pytest.fixture
async def ledger(guard_database: Database, clock: FrozenClock, tmp_path: Path) -> None:
    """Three decisions and a checkpoint."""
    policy_set = load(a_folder(tmp_path / "policies"))
    await recorded(guard_database, clock, policy_set, [(CHANGE, FACTS)] * 3)
    await StoredLedger(guard_database, clock).make_checkpoint()


@pytest.fixture
def at_hand(ledger: None, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the page asks for: a database, anchors with their key, keys of pseudonyms, an export."""
    key, public = a_key(tmp_path / "key")
    shutil.copy(public, "anchor-public.pem")
    monkeypatch.setenv("MAILBOX_GUARD_ANCHOR_KEY_FILE", str(key))
    Path("anchors.jsonl").write_text(run("decisions", "anchor").out)
    Path("keys").write_text("cd" * 32)
    monkeypatch.setenv("MAILBOX_GUARD_PSEUDONYM_KEY_FILE", "keys")
    shutil.copy(AUDIT, "purview.csv")


def test_the_page_leads_from_nothing_to_a_proof(run: Run, at_hand: None) -> None:
    done: dict[str, Done] = {one: run(*shlex.split(one)) for one in COMMANDS}
    assert len(done) >= 8
    for command, one in done.items():
        expected = 1 if command.startswith(LISTS_SOMETHING) else 0
        assert one.code == expected, (command, one.out, one.err)
    assert "3 decisions" in done["decisions verify"].out
    against = next(one for command, one in done.items() if "--against" in command)
    assert "against 1 anchor" in against.out
    proof = next(one for command, one in done.items() if "verify --export" in command)
    assert proof.out.startswith("Whole: ")
    pseudonym = next(one for command, one in done.items() if "pseudonym" in command).out.strip()
    assert pseudonym in Path("q3-masked.csv").read_text()
    assert "contoso" not in Path("q3-masked.csv").read_text()
