"""Following a run while its store is replaced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from rescli.analysis.watch import follow
from rescli.errors import StoreError
from rescli.store.lock import RunLock
from rescli.store.record import RunRecord
from rescli.store.writer import write_run
from tests.store.samples import damage, sample


def moments(path: Path, changes: list[Callable[[], None]]) -> list[str]:
    """The lines that a watcher prints while one change after another happens between its looks."""
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if changes:
            changes.pop(0)()

    lines = [moment.line() for moment in follow(path, interval=1.5, sleep=sleep)]
    assert set(waits) <= {1.5}
    return lines


def at(record: RunRecord, iteration: int, status: str, error: float) -> RunRecord:
    summary = {"iteration": iteration, "iterations": 20, "status": status, "train_error": error}
    return replace(record, status=status, summary=summary)  # type: ignore[arg-type]


def test_a_line_for_every_change_until_the_run_has_ended(tmp_path: Path) -> None:
    path, record = tmp_path / "run.h5", sample()
    with RunLock(path):
        write_run(path, at(record, 5, "running", 60.0))
        lines = moments(
            path,
            [
                lambda: None,
                lambda: write_run(path, at(record, 10, "running", 50.0)),
                lambda: write_run(path, at(record, 20, "finished", 40.0)),
            ],
        )

    assert lines == [
        "5/20  train error (last row) 60.00 %  running",
        "10/20  train error (last row) 50.00 %  running",
        "20/20  train error (last row) 40.00 %  finished",
    ]


def test_a_killed_run_ends_the_watch(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    write_run(path, at(sample(), 5, "running", 60.0))

    assert moments(path, []) == ["5/20  train error (last row) 60.00 %  killed"]


def test_what_is_no_run_is_not_watched(tmp_path: Path) -> None:
    path = tmp_path / "net.h5"
    write_run(path, replace(sample(), summary={"kind": "predictions", "status": "predictions"}))
    with pytest.raises(StoreError, match="holds saved predictions, not a run"):
        list(follow(path, interval=1.0))


def test_a_run_that_is_not_there_or_damaged(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    with pytest.raises(StoreError, match="no such"):
        list(follow(path, interval=1.0))
    write_run(path, sample())
    damage(path, at=30)
    with pytest.raises(StoreError, match="damaged"):
        list(follow(path, interval=1.0))
