"""Putting the previous generation back."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from rescli.errors import StoreError
from rescli.store.lock import RunLock
from rescli.store.problems import DamagedStore, ForeignFile
from rescli.store.reader import read_run
from rescli.store.restore import restore
from rescli.store.writer import write_run
from tests.store.samples import damage, sample


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.h5"
    for number in (1, 2):
        write_run(path, sample(number))
    return path


@pytest.mark.parametrize("at", [40, 5000])
def test_the_damaged_file_is_kept_and_the_previous_one_is_back(path: Path, at: int) -> None:
    damage(path, at)
    damaged = path.read_bytes()
    assert restore(path).summary["iteration"] == 1
    assert read_run(path).progress["iteration"] == 1
    assert path.with_name("run.h5.damaged").read_bytes() == damaged
    write_run(path, sample(3))
    assert read_run(path.with_name("run.h5.prev")).progress["iteration"] == 1


def test_where_there_are_no_hard_links(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    damage(path)
    damaged = path.read_bytes()
    monkeypatch.setattr(os, "link", no_links)
    assert restore(path).summary["iteration"] == 1
    assert path.with_name("run.h5.damaged").read_bytes() == damaged


def test_an_empty_and_a_missing_store_can_be_restored(path: Path) -> None:
    path.write_bytes(b"")
    assert restore(path).summary["iteration"] == 1
    path.unlink()
    assert restore(path).summary["iteration"] == 1


def test_an_intact_store_is_left_alone(path: Path) -> None:
    with pytest.raises(StoreError, match="intact"):
        restore(path)
    assert read_run(path).progress["iteration"] == 2


def test_another_file_is_left_alone(path: Path) -> None:
    path.write_text("my thesis")
    with pytest.raises(ForeignFile):
        restore(path)


def test_without_an_intact_previous_generation(path: Path) -> None:
    damage(path)
    damaged = path.read_bytes()
    previous = path.with_name("run.h5.prev")
    damage(previous)
    with pytest.raises(DamagedStore, match=r"run\.h5\.prev: damaged"):
        restore(path)
    previous.unlink()
    with pytest.raises(StoreError, match="no previous generation"):
        restore(path)
    assert path.read_bytes() == damaged


def test_not_while_a_trainer_is_at_work(path: Path) -> None:
    damage(path)
    with RunLock(path), pytest.raises(StoreError, match="in use"):
        restore(path)
