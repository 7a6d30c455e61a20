"""`rescli bench` as it is typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Rescli

SMALL = ("--batch-size", "16", "--pairs", "1", "--workers", "0", "--threads", "1", "--precision", "fp32")


def test_bench_train_and_eval(rescli: Rescli) -> None:
    found = rescli("bench", "train", "--depth", "8", "14", "--steps", "1", *SMALL, "--json")
    assert found.code == 0, found.err
    nets = json.loads(found.out)
    assert [net["network"] for net in nets] == ["ResNet-8", "ResNet-14"]
    assert nets[0]["images_per_sample"] == 16
    assert nets[0]["ratio"]["median"] == pytest.approx(nets[0]["seconds"]["plain"][0] / nets[0]["seconds"]["ours"][0])
    assert 0 < nets[0]["share_of_matrix_rate"] < 1
    shown = rescli("bench", "eval", "--depth", "8", "--images", "50", *SMALL)
    assert "ResNet-8" in shown.out
    assert "1 pairs of 50 images" in shown.out


def test_wrong_input(rescli: Rescli, tmp_path: Path) -> None:
    assert rescli("bench", "train", "--depth", "21").code == 2
    assert rescli("bench", "train", "--depth", "20", "--backend", "nosuch").code == 5
    assert rescli("bench", "train", "--dataset", "nosuch").code == 2
    (tmp_path / "pack.h5").touch()
    for words in (("--data", tmp_path / "pack.h5"), ("--data", tmp_path, "--beside", tmp_path / "pack.h5")):
        refused = rescli("bench", "data", *words)
        assert (refused.code, "pack.h5 is a file, which ImageFolder cannot read" in refused.err) == (2, True)


def test_bench_data_and_store(rescli: Rescli, tmp_path: Path) -> None:
    found = rescli("bench", "data", "--batches", "2", "--pairs", "1", "--workers", "0", "--backend", "cpu", "--json")
    assert found.code == 0, found.err
    assert found.document[0]["ratio"]["median"] > 0
    shown = rescli("bench", "store", "--depth", "8", "14", "--pairs", "1", "--folder", tmp_path)
    assert shown.code == 0, shown.err
    for words in ("ResNet-8 write", "ResNet-14 read", "torch.save and fsync"):
        assert words in shown.out
    assert list(tmp_path.iterdir()) == []
    assert rescli("bench", "store", "--folder", tmp_path / "nowhere").code == 2


def test_memory_and_limits_are_reported(rescli: Rescli) -> None:
    found = rescli("bench", "train", "--depth", "8", "--steps", "1", "--backend", "cpu", *SMALL, "--json")
    net = found.document[0]
    assert net["peak_memory_bytes"] is None or net["peak_memory_bytes"] >= 0
    assert net["bytes_per_image"] == 2 * 3 * 4 * (
        16384 * 3 + 8192 * 2 + 4096 * 2 + 10
    )  # by hand: the convolutions' outputs
    assert 0 < net["share_of_bandwidth"] < 1


@pytest.mark.parametrize("what", ["train", "data"])
def test_a_batch_of_more_images_than_there_are(what: str, rescli: Rescli) -> None:
    refused = rescli("bench", what, "--dataset", "synthetic", "--batch-size", "20000")
    assert (refused.code, "a batch of 20,000 images is more than the 10,000 there are" in refused.err) == (2, True)
