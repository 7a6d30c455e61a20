"""SIGKILL at random moments, the short form of `python -m benchmarks.kills`: same bits, and never an unreadable store."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.kills import experiment, parse, same
from tests.cli.processes import call
from tests.store.samples import sample


def _experiment(arguments: list[str], report: Path) -> None:
    report.write_text(json.dumps(experiment(parse(arguments))))


@pytest.mark.parametrize(("precision", "kills"), [("fp32", 10), ("bf16", 3)])
def test_killed_at_random_moments_a_run_ends_with_the_same_bits(precision: str, kills: int, tmp_path: Path) -> None:
    if precision == "bf16":
        from rescli.backends.cpu import CpuBackend

        if CpuBackend().precision("auto") != "bf16":
            pytest.skip("this processor has no bf16")
    report = tmp_path / "report.json"
    arguments = ["--kills", str(kills), "--iterations", "12", "--precision", precision]
    call(_experiment, arguments, report)
    found = json.loads(report.read_text())
    assert found["kills"] >= kills
    assert found["finished_runs"] >= 1
    assert found["reads_meanwhile"] > 0
    assert (found["different"], found["unreadable_after_kill"], found["unreadable_meanwhile"]) == ([], [], [])


def test_whatever_of_a_run_differs_is_named() -> None:
    """The judge of all tests of exactness, this way and the other way round."""
    one = sample()
    cases: dict[str, dict[str, Any]] = {
        "status": {"status": "stopped"},
        "recipe/net": {"recipe": {**one.recipe, "net": "resnet56"}},
        "progress/loss_sum": {"progress": {**one.progress, "loss_sum": 0.3}},
        "progress/more": {"progress": {**one.progress, "more": None}},
        "inputs/mean_image": {"inputs": {"mean_image": one.inputs["mean_image"] + 1}},
        "model/conv1.weight": {"model": {**one.model, "conv1.weight": one.model["conv1.weight"].ravel()}},
        "model/layer1.0.bn.weight": {"model": {**one.model, "layer1.0.bn.weight": np.ones(4, np.float32).view("i4")}},
        "momentum/fc": {"momentum": {**one.momentum, "fc": np.zeros(3)}},
        "metrics/train/loss": {"metrics": {**one.metrics, "train": {"iteration": np.arange(3)}}},
        "metrics/val/error": {"metrics": {**one.metrics, "val": {"error": np.zeros(0)}}},
    }
    for name, changes in cases.items():
        other = replace(one, **changes)
        assert (same(one, other), same(other, one)) == ([name], [name])
    later = replace(one, sessions=[], environment={}, summary={}, progress={**one.progress, "seconds": 3.0})
    assert same(one, later) == []
