"""What an author's editor does with the schemas: completes, explains, and marks what is wrong.

The judge is yaml-language-server, which editors use; it needs node and npm, and is installed in the
version that `package.json` names into the folder `.node`.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from rules.load.loader import catalogue_of, load_documents
from rules.model.errors import PolicySetInvalid
from rules.schema.generate import schema_texts
from tests.editor.language_server import LanguageServer, language_server

pytestmark = pytest.mark.slow
HERE = Path(__file__).parent
HOME = HERE.parents[1] / ".node"
CATALOGUE = catalogue_of(None)
HEAD = """\
# yaml-language-server: $schema=schema/policy.schema.json
apiVersion: guard/v1
kind: Policy
name: some-policy
match:
  entity: [mailbox, systemuser, queue]
rules:
  - id: the-rule
    message: m
    require:
"""
LINE = HEAD.count("\n")
TEXT_ONLY = {"startsWith", "endsWith", "matches", "resembles"}
ORDER = {"greater", "greaterOrEquals", "less", "lessOrEquals"}


@pytest.fixture(scope="session")
def program() -> Path:
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("yaml-language-server needs node and npm, which this machine has not")
    found = HOME / "node_modules" / ".bin" / "yaml-language-server"
    if not found.exists():
        # Elsewhere first: another worker of the same run may be doing this beside us.
        with tempfile.TemporaryDirectory(dir=HERE.parents[1], prefix=".node-") as folder:
            shutil.copy(HERE / "package.json", folder)
            quiet = ["--no-audit", "--no-fund", "--no-package-lock"]
            command = ["npm", "install", "--ignore-scripts", *quiet]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                pytest.skip(f"npm did not install yaml-language-server: {done.stderr[-200:]}")
            with suppress(OSError):
                Path(folder, "node_modules").rename(_made(HOME) / "node_modules")
    return found


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def editor(program: Path, tmp_path: Path) -> Iterator[LanguageServer]:
    (tmp_path / "schema").mkdir()
    for name, text in schema_texts(CATALOGUE).items():
        (tmp_path / "schema" / name).write_text(text, encoding="utf-8")
    with language_server(program, tmp_path) as server:
        yield server


def _offered(editor: LanguageServer, *lines: str) -> dict[str, str]:
    text = HEAD + "".join(f"{line}\n" for line in lines)
    uri = editor.open(f"{abs(hash(lines))}.yaml", text)
    return editor.completions(uri, LINE + len(lines) - 1, len(lines[-1]))


def test_it_completes_the_fields_of_the_catalogue_with_their_docs(editor: LanguageServer) -> None:
    offered = _offered(editor, "      - field: ")
    known = {path for table in CATALOGUE.arriving() for path in CATALOGUE.paths(table)}
    assert known <= offered.keys()
    assert "ewsurl" not in offered
    assert "E-mail address that ties the row" in offered["new.emailaddress"]
    assert offered["actor.businessUnits"].startswith("Names of that business unit")


@pytest.mark.parametrize(
    ("lines", "fits", "does_not"),
    [
        (["field: statecode"], {"equals", "in", "becomes"}, TEXT_ONLY | ORDER | {"contains"}),
        (["field: new.isforwardmailbox"], {"equals", "exists"}, TEXT_ONLY | ORDER | {"in"}),
        (["field: actor.recentChanges"], ORDER | {"equals"}, TEXT_ONLY | {"becomes", "changed"}),
        (["field: actor.roleIds"], {"contains"}, TEXT_ONLY | ORDER | {"equals", "changed"}),
        (["field: address"], TEXT_ONLY | {"contains", "becomes"}, ORDER),
        (["field: old.address"], TEXT_ONLY, ORDER | {"becomes", "changed"}),
        (["field: address", "part: length"], ORDER, TEXT_ONLY),
        (["field: request.time"], ORDER | {"part"}, TEXT_ONLY | {"timeZone"}),
        (["field: request.time", "part: weekday"], {"timeZone", "in"}, TEXT_ONLY | ORDER),
        (["field: request.time", "part: timeOfDay"], ORDER | {"timeZone"}, TEXT_ONLY),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_it_completes_the_operators_that_fit(
    editor: LanguageServer, lines: list[str], fits: set[str], does_not: set[str]
) -> None:
    first, *others = lines
    offered = _offered(editor, f"      - {first}", *(f"        {one}" for one in others), " " * 8)
    assert fits <= offered.keys()
    assert does_not.isdisjoint(offered)


def test_it_shows_what_a_field_and_an_operator_mean(editor: LanguageServer) -> None:
    uri = editor.open("a.yaml", f"{HEAD}      - field: queueviewtype\n        becomes: public\n")
    assert "The field holds this value now" in editor.hover(uri, LINE + 1, 10)
    assert "queueviewtype`: Who sees the queue (choice: public, private)" in (
        editor.hover(uri, LINE, 9)
    )


@pytest.mark.parametrize(
    ("lines", "marked"),
    [
        (["      - field: address", "        equal: a@b.de"], 1),
        (["      - field: adress", "        equals: a@b.de"], 0),
        (["      - field: ewsurl", "        exists: true"], 0),
        (["      - field: address", "        greater: 5"], 1),
        (["      - field: statecode", "        startsWith: a"], 1),
        (["      - field: old.address", "        changed: true"], 1),
        (["      - or:", "          - {field: address, exists: true}"], 0),
        (["      - field: address", "        exists: true", "    nothing: 3"], 2),
        (["      - field: address", "        exists: true", "    effect: deny"], 2),
    ],
    ids=lambda value: value[-1].strip() if isinstance(value, list) else "",
)
def test_it_marks_what_validate_complains_of(
    editor: LanguageServer, lines: list[str], marked: int
) -> None:
    text = HEAD + "".join(f"{line}\n" for line in lines)
    assert LINE + marked in [line for line, _ in editor.marks(editor.open("b.yaml", text))]
    with pytest.raises(PolicySetInvalid) as raised:
        load_documents({"some-policy.yaml": text})
    assert LINE + marked + 1 in [one.line for one in raised.value.complaints]


def test_it_marks_nothing_in_what_is_right(editor: LanguageServer) -> None:
    right = (
        '      - {field: address, part: length, lessOrEquals: 100}\n'
        '      - {field: request.time, part: weekday, timeZone: UTC, notIn: [sunday]}\n'
        '      - anyOf: [{field: owner.type, equals: user}, {not: {field: id, exists: false}}]\n'
    )  # fmt: skip
    assert editor.marks(editor.open("c.yaml", HEAD + right)) == []
