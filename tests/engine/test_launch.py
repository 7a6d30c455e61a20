"""What becomes of `--devices N` after a signal: the store says it, not the signal."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rescli.backends.launch import Ending
from rescli.engine import launch
from rescli.errors import Interrupted, RescliError, StoppedEarly
from rescli.store.reader import read_run
from rescli.store.writer import write_run
from tests.analysis.runs import a_run


def after_a_signal(
    path: Path,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Callable[[], object] = lambda: None,
    number: signal.Signals = signal.SIGTERM,
) -> None:
    def processes(*_: Any, **__: Any) -> Ending:
        meanwhile()
        return Ending(signal=number)

    monkeypatch.setattr(launch, "launch", processes)
    launch.train_on(2, ["train", "cifar"], path)


def test_a_checkpoint_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoppedEarly, match="with a checkpoint in"):
        after_a_signal(a_run(tmp_path / "run.h5", done=100), monkeypatch)


def test_a_run_that_had_come_to_its_end_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "run.h5"
    after_a_signal(path, monkeypatch, meanwhile=lambda: a_run(path))
    with pytest.raises(StoppedEarly, match="was finished before"):
        after_a_signal(path, monkeypatch)


def test_the_process_that_failed_first_has_the_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"error": "no images", "hint": "Find some.", "exit_code": 3}
    for reason, message, hint in ((said, "no images", "Find some."), ({}, "process 1 failed with exit code 3", "")):
        monkeypatch.setattr(launch, "launch", lambda *_, **__: Ending(rank=1, code=3, reason=reason))  # noqa: B023
        with pytest.raises(RescliError) as found:
            launch.train_on(2, ["train", "cifar"], tmp_path / "run.h5")
        assert (found.value.message, found.value.hint, found.value.exit_code) == (message, hint, 3)
        assert found.value.told, "the process has told people itself"


def test_nothing_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in one process: a batch queue is to begin it again."""
    with pytest.raises(StoppedEarly, match="before a checkpoint could be written"):
        after_a_signal(tmp_path / "run.h5", monkeypatch)
    with pytest.raises(Interrupted, match="before a checkpoint could be written"):
        after_a_signal(tmp_path / "run.h5", monkeypatch, number=signal.SIGINT)


def test_the_processes_were_killed_before_they_could_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = a_run(tmp_path / "run.h5", done=100)
    write_run(path, replace(read_run(path), status="running"))
    with pytest.raises(StoppedEarly, match="no checkpoint since") as stopped:
        after_a_signal(path, monkeypatch)
    assert "--resume" in stopped.value.hint
    with pytest.raises(RescliError, match="has diverged") as failed:
        after_a_signal(path, monkeypatch, meanwhile=lambda: write_run(path, replace(read_run(path), status="diverged")))
    assert failed.value.exit_code == 1
