"""`rescli bench` as it is typed."""

from __future__ import annotations

import json

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


def test_wrong_input(rescli: Rescli) -> None:
    assert rescli("bench", "train", "--depth", "21").code == 2
    assert rescli("bench", "train", "--depth", "20", "--backend", "nosuch").code == 5
    assert rescli("bench", "train", "--dataset", "nosuch").code == 2
