"""What a wheel installs: one name, everything that runs, and the policies that it ships."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("kernel", "rules", "cloud", "guard", "sync", "sandbox", "console")
INSIDE = "mailbox_guard/_packages"
Run = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of this checkout, built by the build system that pyproject.toml names."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", folder],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def run(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a program of an environment that holds the wheel, in a folder with unlucky names."""
    home = tmp_path_factory.mktemp("installed")
    venv.create(home / "venv", with_pip=False, symlinks=True)
    programs = home / "venv" / "bin"
    # Nothing is downloaded: the dependencies are those that this test itself runs on. A folder
    # that a .pth file names has its own .pth files left alone, so the checkout stays outside.
    (packages,) = (home / "venv" / "lib").glob("python3*/site-packages")
    others = [path for path in sys.path if path.endswith(("site-packages", "dist-packages"))]
    (packages / "dependencies.pth").write_text("\n".join(others))
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", programs / "python", "install", "--quiet",
         "--no-deps", "--no-index", "--disable-pip-version-check", wheel],
        check=True, capture_output=True,
    )  # fmt: skip
    here = home / "here"
    for name in PACKAGES:
        (here / name).mkdir(parents=True)
        (here / name / "__init__.py").write_text("raise SystemExit('This is somebody else.')\n")
    settings = {"PATH": os.environ["PATH"], "MAILBOX_GUARD_DATA_DIR": str(home / "data")}

    def run_it(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [programs / program, *arguments], cwd=here, env=settings, capture_output=True, text=True
        )

    return run_it


def test_one_name_of_ours_is_installed(wheel: Path) -> None:
    names = {name.partition("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert names == {"mailbox_guard", f"mailbox_guard-{version}.dist-info"}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_of_a_package_travels(wheel: Path, package: str) -> None:
    inside = {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".py")}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / package).rglob("*.py")}
    assert modules
    assert {f"{INSIDE}/{name}" for name in modules} - inside == set()


def test_the_licence_and_the_examples_travel(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert [name for name in names if name.endswith("licenses/LICENSE")]
    assert f"{INSIDE}/sandbox/_webhook_examples/README.md" in names


@pytest.mark.parametrize(
    "command", [("mailbox-guard",), ("python", "-m", "mailbox_guard")], ids=["script", "module"]
)
def test_an_installed_command_judges_the_policies_that_it_ships(
    run: Run, command: tuple[str, ...]
) -> None:
    done = run(*command, "policy", "validate")
    assert done.stderr == "There is no folder policies here: the shipped policies are taken.\n"
    assert done.returncode == 0
    assert f"{INSIDE}/rules/_shipped: valid." in done.stdout


def test_an_installed_command_answers_no_and_is_left_with_1(run: Run) -> None:
    done = run("mailbox-guard", "policy", "check", f"{ROOT}/docs/examples/points-at-the-chief.yaml")
    assert done.returncode == 1
    assert done.stdout.startswith("REJECT")


def test_an_installed_command_makes_its_database_by_the_migrations(run: Run) -> None:
    assert run("mailbox-guard", "db", "check").returncode == 2
    done = run("mailbox-guard", "db", "upgrade")
    assert done.returncode == 0, done.stderr
    assert run("mailbox-guard", "db", "check").returncode == 0


def test_an_installation_tells_its_story_on_the_sandbox(run: Run) -> None:
    done = run("mailbox-guard", "demo")
    assert done.returncode == 0, done.stderr
    assert "13  the ledger is verified" in done.stdout
