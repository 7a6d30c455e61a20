"""benchmarks/study.sh, with a stand-in for Python that only says how it was called."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = """#!/bin/sh
echo "$@" >> "$SAID"
case "$*" in *summarize*) exit 0 ;; esac
exit "$CODE"
"""


def study(folder: Path, *, seconds: int, code: int, begun: bool, slash: str = "") -> tuple[int, list[str]]:
    """The exit code of the script, and what it has called."""
    python = folder / "my python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    if begun:
        (folder / "the study").mkdir()
        (folder / "the study" / "resnet20-seed0.h5").touch()
    said = folder / "said"
    said.touch()
    done = subprocess.run(
        ["sh", ROOT / "benchmarks" / "study.sh", f"{folder / 'the study'}{slash}", str(seconds)],
        env={**os.environ, "PYTHON": str(python), "SAID": str(said), "CODE": str(code)},
        check=False,
    )
    return done.returncode, said.read_text().splitlines()


@pytest.mark.parametrize("begun", [False, True])
def test_time_that_is_over_is_75(begun: bool, tmp_path: Path) -> None:
    code, said = study(tmp_path, seconds=0, code=0, begun=begun)
    assert (code, ["summarize" in line for line in said]) == (75, [True] if begun else [])


@pytest.mark.parametrize(("code", "slash"), [(0, "/"), (1, ""), (75, "")])
def test_a_part_that_fails_keeps_no_other_from_its_turn(code: int, slash: str, tmp_path: Path) -> None:
    ended, said = study(tmp_path, seconds=600, code=code, begun=True, slash=slash)
    assert (ended, len(said)) == (code, 13)
    assert said[0].startswith("-m rescli reproduce fig6-middle --depth 20 --depth 56 --depth 110 --seeds 1 --out ")
    assert said[-1].endswith("the study --out " + str(tmp_path / "the study.summaries"))


def test_what_a_part_that_was_cut_off_has_left_does_not_hold_up_the_next_try(tmp_path: Path) -> None:
    """benchmarks/gpu.sh: a run refuses to be begun where one is."""
    python, out = tmp_path / "python", tmp_path / "out"
    python.write_text('#!/bin/sh\nls "$OUT" | grep h5 >&2 && exit 2\nexit 0\n')
    python.chmod(0o755)
    out.mkdir()
    for name in ("run-20-0.h5", "run-20-0.h5.lock", "seeds-20-3.h5.prev"):
        (out / name).touch()
    done = subprocess.run(
        ["sh", ROOT / "benchmarks" / "gpu.sh", out, "seeds"],
        env={**os.environ, "PYTHON": str(python), "OUT": str(out)},
        stdout=subprocess.PIPE,
        check=True,
    )
    assert done.stdout.count(b"==") == 7, "six runs, and the failures"
    assert (out / "failures.txt").read_text() == ""
