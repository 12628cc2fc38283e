"""The house keeps its shape: names, sizes, failpoints, and who may read the clock."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import kernel.failpoints

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("mailbox_guard", "kernel", "rules", "cloud", "guard", "sync", "sandbox", "console")
BANNED = {
    "utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "service",
    "handler", "handlers",
}  # fmt: skip
LONGEST_FILE = 450


def sources() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def modules() -> Iterator[str]:
    for room in ROOMS:
        yield room
        package = importlib.import_module(room)
        for found in pkgutil.walk_packages(package.__path__, f"{room}."):
            if ".migrations" not in found.name and not found.name.endswith("__main__"):
                yield found.name


def test_the_packages_under_test_are_those_of_this_checkout() -> None:
    for room in ROOMS:
        found = importlib.import_module(room).__file__
        assert found is not None
        assert Path(found).resolve().is_relative_to(ROOT)


def test_no_module_has_a_name_that_says_nothing() -> None:
    assert [path for path in sources() if path.stem in BANNED] == []


def test_no_file_has_grown_two_reasons() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in (*sources(), *sorted((ROOT / "tests").rglob("*.py")))
        if (lines := len(path.read_text("utf-8").splitlines())) > LONGEST_FILE
    }
    assert long == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [path for path in sources() if not ast.get_docstring(ast.parse(path.read_text()))]
    assert silent == []


def calls(name: str) -> Iterator[tuple[Path, ast.Call]]:
    for path in sources():
        if path.parts[-2] == "sandbox" or "sandbox" in path.relative_to(ROOT).parts:
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func
                if isinstance(called, ast.Attribute) and called.attr == name:
                    yield path, node


@pytest.mark.parametrize("method", ["write", "write_now"])
def test_every_commit_names_its_failpoint(method: str) -> None:
    """A write whose first argument is a function of a connection carries `failpoint=`."""
    unnamed = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, node in calls(method)
        if _is_database(node) and "failpoint" not in {keyword.arg for keyword in node.keywords}
    ]
    assert unnamed == []


def _is_database(node: ast.Call) -> bool:
    called = node.func
    assert isinstance(called, ast.Attribute)
    owner = called.value
    name = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
    return "database" in name.lower()


def test_every_failpoint_is_documented() -> None:
    for name in modules():
        importlib.import_module(name)
    page = (ROOT / "docs" / "failpoints.md").read_text("utf-8")
    failpoints = {
        name: doc
        for name, doc in kernel.failpoints.FAILPOINTS.items()
        if not name.startswith(("tests.", "test."))
    }
    assert failpoints
    assert [name for name in failpoints if f"| `{name}` |" not in page] == []


def test_validating_policies_loads_nothing_heavy() -> None:
    """What `policy validate` imports decides how fast it starts."""
    code = (
        "import sys\n"
        "from console.main import main\n"
        "main(['policy', 'validate', 'policies'])\n"
        "print(' '.join(sorted({name.partition('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.splitlines()[-1].split())
    heavy = {
        "fastapi", "starlette", "uvicorn", "httpx", "msal", "sqlalchemy", "alembic", "pydantic",
        "jsonschema", "rich", "aiohttp", "structlog", "prometheus_client", "cryptography",
        "asyncio", "rapidfuzz", "confusable_homoglyphs",
    }  # fmt: skip
    assert loaded & heavy == set()
