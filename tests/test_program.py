"""What rescli was begun as, and that a process which it starts finds what it found itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rescli.errors import UsageError
from rescli.program import command_line, in_a_job, processes, surroundings

LOAD = """
import sys
sys.path[0] = "/where/scripts/are"
from rescli.engine.timing import time_loading
time_loading()
print("rescli loaded")
"""
BEGIN = """
import os, subprocess, sys
sys.path[0] = "/where/scripts/are"
from rescli.program import PROGRAM, surroundings
sys.exit(subprocess.run([*PROGRAM, "--version"], env={**os.environ, **surroundings()}).returncode)
"""


@pytest.mark.parametrize("code", [BEGIN, LOAD])
@pytest.mark.skipif(sys.version_info < (3, 11), reason="nothing tells an older Python to look elsewhere")
def test_modules_in_the_current_folder_are_the_users_own(code: str, tmp_path: Path) -> None:
    for name in ("typer.py", "h5py.py"):
        (tmp_path / name).write_text("raise SystemExit('this is mine')\n")
    ended = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout[:6], ended.stderr) == (0, "rescli", "")


def test_who_was_found_in_the_current_folder_is_found_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m rescli` in a checkout that is not installed."""
    monkeypatch.chdir(tmp_path)
    for first, named in (("", {}), (str(tmp_path), {}), ("/usr/bin", {"PYTHONSAFEPATH": "1"})):
        monkeypatch.setattr(sys, "path", [first, *sys.path[1:]])
        assert surroundings() == named


def test_the_command_line_is_as_it_would_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["/some/bin/rescli", "train", "cifar", "--out", "my run.h5"])
    assert command_line() == "rescli train cifar --out 'my run.h5'"
    monkeypatch.setattr("sys.argv", ["/some/rescli/__main__.py", "eval"])
    assert command_line() == "python -m rescli eval"


def test_what_a_batch_queue_left_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "many")
    assert (processes(), in_a_job()) == (1, False)
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(UsageError, match="WORLD_SIZE is 'many'"):
        processes()
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert (processes(), in_a_job()) == (4, True)
