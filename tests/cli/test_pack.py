"""`rescli data pack` as typed, and what reads such a file; in processes that are killed, interrupted and out of space."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision

from rescli.data.listing import list_images
from rescli.data.packed import Packed
from rescli.store.predictions import read_predictions
from tests.cli.conftest import Rescli
from tests.cli.processes import PATIENCE, Process, run
from tests.data.devkits import devkit
from tests.data.packs import flip, folder, photograph
from tests.models.weights.others import randomized


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small images, one of them too large."""
    root = folder(tmp_path_factory.mktemp("images"))
    photograph(root / "train" / "n1" / "large.JPEG", 700, 600)
    return root


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Enough to be killed among them."""
    root = tmp_path_factory.mktemp("many")
    for number in range(40):
        photograph(root / "train" / "n0" / f"{number:02}.JPEG", 800 + number, 900)
    return root


def test_pack_and_verify(rescli: Rescli, images: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    made = rescli("data", "pack", "--data", images, "--out", path, "--json")
    assert made.code == 0, made.err
    train, val = made.document["splits"]
    assert made.document["bytes"] == path.stat().st_size
    assert (train["images"], train["kept"], train["encoded"], train["skipped"]) == (8, 7, 1, [])
    assert (val["images"], val["kept"], val["encoded"]) == (4, 4, 0)
    assert val["bytes"] == sum(file.stat().st_size for file in (images / "val").rglob("*.*"))

    folders, file = (rescli("data", "verify", "imagenet", "--data", where, "--json") for where in (images, path))
    assert (file.code, file.document["splits"]) == (0, folders.document["splits"])
    again = rescli("data", "pack", "--data", images, "--out", path)
    assert (again.code, "is there already" in again.err) == (2, True)

    found = list_images(path, "val")
    assert isinstance(found, Packed)
    flip(path, found.index.start + 100)
    broken = rescli("data", "verify", "imagenet", "--data", path)
    assert broken.code == 3
    assert "p.h5: val/n0/0.JPEG: damaged" in broken.out


def test_the_options(rescli: Rescli, images: Path, tmp_path: Path) -> None:
    done = rescli("data", "pack", "--data", images, "--out", tmp_path / "p.h5", "--shorter", "200", "--quality", "70")
    assert done.code == 0, done.err
    assert "3 classes" in done.out
    found, before = list_images(tmp_path / "p.h5", "train"), list_images(images, "train")
    for row in range(len(found)):
        with found.opened(row) as image, before.opened(row) as was:
            assert (min(image.size), image.mode) == (200, was.mode)
            assert min(was.size) > 200
    photograph(tmp_path / "alone" / "train" / "n0" / "0.JPEG", 50, 50)
    words = ("--data", tmp_path / "alone", "--out", tmp_path / "a.h5", "--truth", tmp_path / "truth.txt")
    no_val = rescli("data", "pack", *words)
    assert (no_val.code, "has no val/: --truth has no effect" in no_val.err) == (2, True)
    bad = tmp_path / "bad" / "val" / "n0" / "x.JPEG"
    photograph(bad.with_name("good.JPEG"), 50, 50)
    bad.write_bytes(b"\xff\xd8\xff nothing")
    refused = rescli("data", "pack", "--data", tmp_path / "bad", "--out", tmp_path / "b.h5")
    assert (refused.code, "x.JPEG: cannot be decoded" in refused.err, "--skip-damaged" in refused.err) == (
        3,
        True,
        True,
    )
    assert not (tmp_path / "b.h5").exists()
    done = rescli("data", "pack", "--data", tmp_path / "bad", "--out", tmp_path / "b.h5", "--skip-damaged", "--json")
    assert done.document["splits"][0]["skipped"] == ["n0/x.JPEG"]
    assert "left out" in done.err
    assert rescli("data", "pack", "--data", tmp_path / "none", "--out", tmp_path / "n.h5").code == 3
    nowhere = rescli("data", "pack", "--data", images, "--out", tmp_path / "nowhere" / "p.h5")
    assert (nowhere.code, "folder must exist" in nowhere.err) == (4, True)


def test_eval_and_the_bench_read_it(
    rescli: Rescli, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    torch.save(randomized(torchvision.models.resnet18(num_classes=3), 0).state_dict(), tmp_path / "a.pth")
    assert rescli("data", "pack", "--data", images, "--out", tmp_path / "imagenet.h5").code == 0
    net = (tmp_path / "a.pth", "--net", "resnet18", "--shortcut", "B", "--normalize", "imagenet", "--threads", "1")
    for name, views in (("crops", ("--crops", "10")), ("scales", ("--scales", "224,288"))):
        told, made = [], []
        for number, where in enumerate((images, tmp_path / "imagenet.h5")):
            scores = tmp_path / f"{name}{number}.h5"
            done = rescli("eval", *net, "--data", where, *views, "--predictions", scores, "--json")
            assert done.code == 0, done.err
            made.append(read_predictions(scores))
            told.append((done.document["top1_error"], made[-1].files, made[-1].labels.tolist()))
        assert np.array_equal(made[0].scores, made[1].scores)
        assert told[0] == told[1]

    monkeypatch.setenv("RESCLI_DATA", str(tmp_path))
    assert rescli("eval", *net, "--json").document["images"] == 4, "imagenet.h5 is found where data sets are"

    small = ("--batch-size", "4", "--batches", "2", "--pairs", "1", "--workers", "0")
    data = ("--data", tmp_path / "imagenet.h5")
    raced = rescli("bench", "data", *data, "--beside", images, *small, "--json")
    assert raced.code == 0, raced.err
    assert (raced.document[0]["images"], raced.document[0]["beside"]) == (8, str(images / "train"))
    alone = rescli("bench", "data", *data, *small)
    assert (alone.code, "--beside" in alone.err) == (2, True)
    assert rescli("bench", "data", "--beside", images, *small).code == 2
    cold = rescli("bench", "data", *data, "--beside", images, *small, "--cold", "--json")
    assert cold.document[0]["cold"] is True
    assert rescli("bench", "data", "--cold", *small).code == 2


def test_what_was_left_out_when_it_was_packed_is_left_out_of_a_test(
    rescli: Rescli, images: Path, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    torch.save(randomized(torchvision.models.resnet18(num_classes=3), 0).state_dict(), tmp_path / "a.pth")
    shutil.copytree(images, tmp_path / "some")
    (tmp_path / "some" / "val" / "n1" / "1.JPEG").write_bytes(b"nothing")
    packing = ("data", "pack", "--data", tmp_path / "some", "--out", tmp_path / "some.h5", "--skip-damaged")
    assert rescli(*packing).code == 0
    net = (tmp_path / "a.pth", "--net", "resnet18", "--shortcut", "B", "--normalize", "imagenet", "--threads", "1")
    test = ("eval", *net, "--data", tmp_path / "some.h5")
    done = rescli(*test, "--predictions", tmp_path / "scores.h5")
    assert (done.code, "1 left out" in done.out) == (0, True)
    assert read_predictions(tmp_path / "scores.h5").about["skipped"] == 1
    kit = devkit(tmp_path, {"n0": 1, "n1": 2, "n2": 3}, [1])
    refused = rescli(*test, "--predictions", tmp_path / "a.txt", "--devkit", kit)
    assert (refused.code, "1 were left out when" in refused.err) == (2, True), refused.err


def test_files_that_are_none(rescli: Rescli, tmp_path: Path) -> None:
    (tmp_path / "x.h5").write_bytes(b"something else")
    for command in (["data", "verify", "imagenet"], ["bench", "data", "--beside", "."]):
        done = rescli(*command, "--data", tmp_path / "x.h5")
        assert (done.code, "neither a folder nor a file of packed images" in done.err) == (3, True)


def _half_written(tmp_path: Path, process: Process, size: int) -> Path:
    """Wait until there is a file in the making of at least so many bytes."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        for path in tmp_path.glob("p.h5.*.new"):
            if path.stat().st_size >= size:
                return path
        assert process.running, process.err
        time.sleep(0.002)
    raise AssertionError(f"nothing was written in {PATIENCE} s: {process.err}")


def test_kill_9_leaves_no_half_file(many: Path, tmp_path: Path) -> None:
    command = ("data", "pack", "--data", str(many), "--out", "p.h5")
    for size in (0, 1_500_000, 2_500_000):
        with Process(*command, folder=tmp_path) as process:
            left = _half_written(tmp_path, process, size)
            process.send(signal.SIGKILL)
            assert process.wait().code == -signal.SIGKILL
        assert not (tmp_path / "p.h5").exists()
        assert [path for path in tmp_path.iterdir() if path.suffix == ".new"] == [left], "those before it are swept"
    ended = run(*command, "--json", folder=tmp_path)
    assert (ended.code, json.loads(ended.out)["splits"][0]["images"]) == (0, 40), ended.err
    assert not list(tmp_path.glob("*.new"))
    assert len(list_images(tmp_path / "p.h5", "train")) == 40


def test_ctrl_c_leaves_nothing(many: Path, tmp_path: Path) -> None:
    with Process("data", "pack", "--data", str(many), "--out", "p.h5", folder=tmp_path) as process:
        _half_written(tmp_path, process, 1_500_000)
        process.send(signal.SIGINT)
        assert process.wait().code == 130
    assert not list(tmp_path.glob("p.h5*"))


@pytest.mark.parametrize("limit", [0, 1_000_000, 2_000_000])
def test_a_full_disk_is_an_error_and_no_crash(many: Path, tmp_path: Path, limit: int) -> None:
    """`ulimit -f`: within the front, and among the images. The output of the process itself is small."""
    ended = run("data", "pack", "--data", str(many), "--out", "p.h5", folder=tmp_path, largest_file=max(limit, 4096))
    assert (ended.code, "could not be written: File too large" in ended.err) == (4, True), ended.err
    assert not list(tmp_path.glob("p.h5*"))
