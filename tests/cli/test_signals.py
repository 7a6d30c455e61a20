"""Signals to a training process: each leaves a checkpoint, and the resumed run ends as one that nobody touched."""

from __future__ import annotations

import json
import shutil
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from benchmarks.kills import same
from rescli.store.header import read_header
from rescli.store.reader import read_run, verify
from tests.cli.processes import SMALL, Process, run, stored_iteration

RUN = (*SMALL, "--out", "run.h5")

ENDS = {"SIGTERM": 75, "SIGUSR1": 75, "SIGHUP": 75, "SIGINT": 130}


@pytest.mark.parametrize("name", ENDS)
def test_a_stopped_run_goes_on_to_the_same_bits(name: str, finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with Process(*RUN, folder=tmp_path) as process:
        process.wait_for_progress(path)
        process.send(signal.Signals[name])
        ended = process.wait()
    assert ended.code == ENDS[name], ended.err
    header = read_header(path)
    reached = header.summary["iteration"]
    assert 0 < reached < 60, "the signal was meant to come in the middle"
    assert header.summary["status"] == "stopped"
    assert ended.err.splitlines()[-2:] == [
        f"Stopped: {name} after iteration {reached}, with a checkpoint in run.h5",
        "The same command with --resume goes on.",
    ]
    assert ended.out == ""

    again = run(*RUN, "--resume", folder=tmp_path)
    assert again.code == 0, again.err
    assert f"going on after iteration {reached} of 60" in again.err.splitlines()
    record = read_run(path)
    assert same(read_run(finished), record) == []
    assert [session["status"] for session in record.sessions] == ["stopped", "finished"]
    assert record.sessions[1]["first_iteration"] == reached


def test_a_killed_run_goes_on_to_the_same_bits(finished: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with Process(*RUN, folder=tmp_path) as process:
        process.wait_for_progress(path)
        process.send(signal.SIGKILL)
        assert process.wait().code == -signal.SIGKILL
    verify(path)
    assert stored_iteration(path) < 60
    assert run(*RUN, "--resume", folder=tmp_path).code == 0
    assert same(read_run(finished), read_run(path)) == []


def test_impatient_interrupts_leave_without_a_traceback(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with Process(*RUN, "--iterations", "100000", folder=tmp_path) as process:
        process.wait_for_progress(path)
        while process.running:
            with suppress(ProcessLookupError):  # gone since it was looked at
                process.send(signal.SIGINT)
            time.sleep(0.005)
        ended = process.wait()
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert "Stopped: " in ended.err
    verify(path)


def test_a_stop_is_told_in_json_too(tmp_path: Path) -> None:
    with Process(*RUN, "--json", folder=tmp_path) as process:
        process.wait_for_progress(tmp_path / "run.h5")
        process.send(signal.SIGTERM)
        ended = process.wait()
    document = json.loads(ended.out)
    assert set(document) == {"error", "hint", "exit_code"}
    assert document["exit_code"] == ended.code == 75
    assert "--resume" in document["hint"]


def test_resume_of_a_finished_run_says_so(finished: Path) -> None:
    before = finished.read_bytes()
    ended = run(*RUN, "--resume", folder=finished.parent)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("run.h5 is finished already: 60 iterations, training error ")
    ended = run(*RUN, "--resume", "--json", folder=finished.parent)
    assert json.loads(ended.out)["already_finished"] is True
    assert finished.read_bytes() == before


def test_another_recipe_does_not_resume(stopped: Path, tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    shutil.copy(stopped, path)
    before = path.read_bytes()
    ended = run(*RUN, "--resume", "--lr", "0.2", "--seed", "7", folder=tmp_path)
    assert ended.code == 2
    message, hint = ended.err.splitlines()
    assert message.startswith("Error: run.h5 was trained with another recipe: ")
    assert "learning_rate was 0.1, now 0.2" in message
    assert "seed was 0, now 7" in message
    assert "--out" in hint
    assert path.read_bytes() == before


def test_resume_without_a_run_begins_one_and_a_run_is_never_begun_anew(stopped: Path, tmp_path: Path) -> None:
    ended = run(*RUN, "--resume", "--iterations", "2", "--out", "new/run.h5", folder=tmp_path)
    assert ended.code == 0, ended.err
    assert stored_iteration(tmp_path / "new" / "run.h5") == 2
    shutil.copy(stopped, tmp_path / "run.h5")
    ended = run(*RUN, folder=tmp_path)
    assert ended.code == 2
    assert ended.err.splitlines() == [
        "Error: run.h5 exists already",
        "Go on with it: --resume. Or name another file for a new run: --out.",
    ]
    assert stored_iteration(tmp_path / "run.h5") == stored_iteration(stopped)
