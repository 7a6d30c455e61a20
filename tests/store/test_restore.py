"""Putting the previous generation back."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from rescli.errors import StoreError
from rescli.store.lock import RunLock
from rescli.store.network import NetworkRecord, encode_network, is_store, read_network
from rescli.store.problems import DamagedStore, ForeignFile
from rescli.store.reader import read_run
from rescli.store.replace import replace
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


def test_a_mistyped_name_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no such file") as caught:
        restore(tmp_path / "nosuch.h5")
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


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


def test_a_lost_first_block_is_damage_where_a_previous_generation_is_there(path: Path) -> None:
    """As a power cut may leave it. Without our companion beside it nobody can tell whose file it is."""
    whole = path.read_bytes()
    for left in (bytes(4096) + whole[4096:], bytes(len(whole))):
        path.write_bytes(left)
        with pytest.raises(DamagedStore) as caught:
            read_run(path)
        assert "runs restore" in str(caught.value.hint)
    assert is_store(path), "nothing else is written over it"
    assert restore(path).summary["iteration"] == 1
    alone = path.with_name("alone.h5")
    alone.write_bytes(bytes(len(whole)))
    with pytest.raises(ForeignFile):
        read_run(alone)


def test_a_checkpoint_heals_a_store_that_has_lost_its_first_line(path: Path) -> None:
    damage(path, 0)
    write_run(path, sample(3))
    assert read_run(path).progress["iteration"] == 3
    assert read_run(path.with_name("run.h5.prev")).progress["iteration"] == 1, "the damaged one is no generation"


def test_weights_without_a_run_are_restored_too(tmp_path: Path) -> None:
    path = tmp_path / "my net.h5"
    for seed in (0, 1):
        model = {"conv1.weight": np.full((2, 2), seed, np.float32)}
        replace(
            path,
            encode_network(
                NetworkRecord(network={"network": "a net"}, model=model, preprocessing={}, inputs={}, origin={})
            ),
        )
    with pytest.raises(StoreError, match=r"intact \(weights of a net\)"):
        restore(path)
    damage(path, 5000)
    with pytest.raises(DamagedStore) as caught:
        read_network(path)
    assert f"`rescli runs restore '{path}'`" in str(caught.value.hint)
    restore(path)
    assert read_network(path).model["conv1.weight"].tolist() == [[0, 0], [0, 0]]
