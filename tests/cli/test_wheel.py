"""The wheel, installed in an environment of its own."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import venv
from pathlib import Path

import numpy as np
import pytest

import rescli

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("build") is None or importlib.util.find_spec("hatchling") is None,
    reason="the packages build and hatchling are not installed, so no wheel can be built",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("wheel")


def shell(*words: str | Path, folder: Path) -> str:
    """Run a program to its end and return its stdout. Nothing of this checkout is in its path."""
    keep = {name: value for name, value in os.environ.items() if not name.startswith(("RESCLI_", "PYTHON"))}
    done = subprocess.run(
        [str(word) for word in words],
        cwd=folder,
        env={**keep, "PYTHONDONTWRITEBYTECODE": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def programs(folder: Path) -> Path:
    """The bin folder of an environment in which the wheel is installed; the dependencies are those of this one."""
    shell(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, folder=folder)
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=True)
    # Names a folder without running the .pth files in it: of the editable installation nothing is seen.
    (site_packages,) = (folder / "venv").glob("lib/python*/site-packages")
    dependencies = Path(np.__file__).parents[1]
    (site_packages / "dependencies.pth").write_text(f"{dependencies}\n")
    programs = folder / "venv" / "bin"
    shell(
        programs / "python",
        "-m",
        "pip",
        "install",
        "--no-index",
        "--no-deps",
        "--no-compile",
        "--ignore-installed",
        wheel,
        folder=folder,
    )
    return programs


def test_what_is_imported_is_the_wheel(programs: Path, folder: Path) -> None:
    found = shell(programs / "python", "-c", "import rescli; print(rescli.__file__)", folder=folder).strip()
    assert Path(found).is_relative_to(folder / "venv")


def test_the_wheel_holds_the_package_and_nothing_else(programs: Path, folder: Path) -> None:
    files = {
        path.relative_to(ROOT / "rescli")
        for path in (ROOT / "rescli").rglob("*")
        if path.suffix in (".py", ".typed", ".html")
    }
    (installed,) = (folder / "venv").glob("lib/python*/site-packages/rescli")
    assert {path.relative_to(installed) for path in installed.rglob("*") if path.is_file()} == files
    names = {path.name for path in installed.parent.iterdir()}
    assert not names & {"tests", "benchmarks", "tools", "docs"}


def test_the_wheel_works(programs: Path, folder: Path) -> None:
    program = programs / "rescli"
    assert shell(program, "--version", folder=folder) == f"rescli {rescli.__version__}\n"
    listed = json.loads(shell(program, "backends", "--json", folder=folder))
    assert [one["works"] for one in listed if one["name"] == "cpu"] == [True]
    arguments = "train cifar --dataset synthetic --depth 8 --iterations 2 --batch-size 16 --threads 1 --out a.h5 --json"
    outcome = json.loads(shell(program, *arguments.split(), folder=folder))
    assert (outcome["status"], outcome["iteration"]) == ("finished", 2)
    assert (folder / "a.h5").exists()
    # The page's template is no Python file: it has to be in the wheel all the same.
    shell(program, *["analyze", "report", "a.h5", "--no-measure", "--out", "a.html"], folder=folder)
    assert "ResNet-8" in (folder / "a.html").read_text()
