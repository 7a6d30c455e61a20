"""Real training: a study is killed anywhere and goes on to the same bits, and what `--print` prints does the same."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.kills import same
from rescli.store.lock import holder
from rescli.store.reader import read_run
from tests.cli.processes import PATIENCE, stored_iteration

STUDY = (
    *("reproduce", "small", "--dataset", "synthetic", "--scale", "0.0001", "--precision", "fp32", "--threads", "1"),
    *("--checkpoint-every", "0.01", "--out", "study"),
)
PLAIN = "synthetic-plain8-6-seed0.h5"


def study(folder: Path, *more: str) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-m", "tests.reproduce.small", *STUDY, *more],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until_it_trains(path: Path, process: subprocess.Popen[str]) -> int:
    """Wait for a checkpoint on the way; the process that trains."""
    end = time.monotonic() + 2 * PATIENCE
    while time.monotonic() < end:
        at_work = holder(path)
        if path.exists() and at_work is not None and stored_iteration(path) > 0:
            return at_work.pid
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    raise AssertionError("it never trained")


def test_killed_with_its_run_a_study_goes_on_to_the_bits_of_its_printed_lines(tmp_path: Path) -> None:
    (tmp_path / "by hand").mkdir()
    with study(tmp_path, "--print") as printing:
        lines = printing.communicate()[0].splitlines()
    assert len(lines) == 1
    words = [sys.executable, "-m", "rescli", *shlex.split(lines[0])[1:]]  # as it is, in another folder
    subprocess.run(words, cwd=tmp_path / "by hand", check=True, capture_output=True)

    folder = tmp_path / "study"
    with study(tmp_path) as process:
        trains = until_it_trains(folder / PLAIN, process)
        process.kill()
        os.kill(trains, signal.SIGKILL)
    end = time.monotonic() + PATIENCE
    while holder(folder / PLAIN) is not None and time.monotonic() < end:  # the system takes its time to end it
        time.sleep(0.01)
    assert 0 < stored_iteration(folder / PLAIN) < 6, "the kill was meant to come in the middle"

    with study(tmp_path) as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert "plain-8" in out
    assert same(read_run(tmp_path / "by hand" / "study" / PLAIN), read_run(folder / PLAIN)) == []
    assert len(read_run(folder / PLAIN).sessions) == 2


@pytest.mark.long
def test_a_real_study_is_stopped_by_a_signal_with_checkpoints(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    with study(tmp_path) as process:
        until_it_trains(folder / PLAIN, process)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate()
    assert process.returncode == 75, err
    assert (out, err.splitlines()[-1][:28]) == ("", "Go on: rescli reproduce smal")
    assert read_run(folder / PLAIN).status == "stopped"
