"""The list of runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from rescli.errors import StoreError
from rescli.store import listing
from rescli.store.listing import list_runs
from rescli.store.lock import RunLock
from rescli.store.writer import write_run
from tests.data.packs import folder, packed
from tests.store.samples import damage, sample


def test_each_run_with_its_status(tmp_path: Path) -> None:
    for name, status in (("a.h5", "finished"), ("b.h5", "running"), ("deep/er/c.h5", "running"), ("z.h5", "stopped")):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for number in (1, 2):
            write_run(path, sample(number, status=status, summary={"status": status, "iteration": number}))
    damage(tmp_path / "z.h5", 40)
    (tmp_path / "other.h5").write_text("not a run")
    (tmp_path / "notes.txt").touch()
    with RunLock(tmp_path / "b.h5"):
        found = list_runs(tmp_path)
    assert [(str(run.path.relative_to(tmp_path)), run.status) for run in found] == [
        ("a.h5", "finished"),
        ("b.h5", "running"),
        ("deep/er/c.h5", "killed"),
        ("other.h5", "unreadable"),
        ("z.h5", "unreadable"),
    ]
    assert found[0].summary == {"status": "finished", "iteration": 2}
    assert found[1].holder is not None
    assert "not a run store" in found[3].error
    assert "damaged in its header" in found[4].error


def test_packed_images_are_no_broken_run(tmp_path: Path) -> None:
    images = tmp_path / "images.h5"
    packed(folder(tmp_path / "images"), images)
    assert [(run.path, run.status, run.error) for run in list_runs(tmp_path)] == [(images, "images", "")]


def test_one_file_and_an_empty_folder(tmp_path: Path) -> None:
    assert list_runs(tmp_path) == []
    write_run(tmp_path / "a.h5", sample())
    assert [run.path.name for run in list_runs(tmp_path / "a.h5")] == ["a.h5"]


def test_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be listed"):
        list_runs(tmp_path / "missing")


def test_a_run_that_ends_between_two_looks_was_not_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its header still says "running"; then it writes its last store and gives the lock back."""
    path = tmp_path / "run.h5"
    write_run(path, sample(status="running"))

    def ends(asked: Path) -> None:
        done = {**sample().summary, "status": "finished"}
        write_run(path, sample(status="finished", summary=done))

    monkeypatch.setattr(listing, "holder", ends)

    assert list_runs(path)[0].status == "finished"


def test_a_stopped_run_that_has_a_process_again_is_running(tmp_path: Path) -> None:
    path = tmp_path / "run.h5"
    write_run(path, sample(status="stopped", summary={**sample().summary, "status": "stopped"}))

    with RunLock(path):
        assert list_runs(path)[0].status == "running"
    assert list_runs(path)[0].status == "stopped"


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be listed"):
        list_runs(tmp_path / ("x" * 300))


def test_a_folder_that_may_not_be_entered_is_in_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    write_run(tmp_path / "a.h5", sample())

    def refusing(call: Any) -> Any:
        def refused(path: Any, *arguments: Any) -> Any:
            if Path(path) == locked:
                raise PermissionError(13, "Permission denied", str(path))
            return call(path, *arguments)

        return refused

    for name in ("scandir", "open"):
        monkeypatch.setattr(os, name, refusing(getattr(os, name)))

    assert [(one.path.name, one.status) for one in list_runs(tmp_path)] == [
        ("a.h5", "killed"),
        ("locked", "unreadable"),
    ]
    assert "not permitted" in list_runs(tmp_path)[1].error
