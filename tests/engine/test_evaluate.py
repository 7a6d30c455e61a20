"""Evaluation of a stored run, and the dry run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rescli.backends.base import Device
from rescli.backends.cpu import CpuBackend
from rescli.data.dataset import Dataset
from rescli.engine.dry_run import dry_run
from rescli.engine.environment import describe, source_state
from rescli.engine.evaluate import evaluate_run
from rescli.engine.request import Request
from rescli.errors import BackendError, RescliError, StoreError, UsageError
from rescli.models.build import build
from rescli.models.cifar import cifar_spec
from rescli.store.writer import write_run
from tests.engine.conftest import Train, small


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_figures_are_those_of_the_runs_last_evaluation(trained: Train, tmp_path: Path, precision: str) -> None:
    _, record = trained(small(precision=precision))

    result = evaluate_run(tmp_path / "run.h5", backend="cpu")

    assert result.precision == record.recipe["precision"] == CpuBackend().precision(precision)
    assert result.error == record.metrics["test"]["error"][-1]
    assert result.loss == record.metrics["test"]["loss"][-1]
    assert result.images == 100


def test_errors_are_those_of_an_independent_computation(trained: Train, tmp_path: Path, few_images: Dataset) -> None:
    _, record = trained(small(iterations=40))

    result = evaluate_run(tmp_path / "run.h5", backend="cpu")

    net = build(cifar_spec(8)).eval()
    for name, tensor in net.state_dict().items():
        tensor.copy_(torch.from_numpy(record.model[name]))
    x = torch.from_numpy(few_images.test.images / 255 - record.inputs["mean_image"]).permute(0, 3, 1, 2).float()
    wrong = net(x).argmax(1).numpy() != few_images.test.labels
    assert result.errors == wrong.sum()
    assert 0 < result.errors < 100
    assert {name: errors for name, _, errors, _ in result.by_class()} == {
        name: int(wrong[few_images.test.labels == label].sum()) for label, name in enumerate(few_images.classes)
    }


def test_other_splits(trained: Train, tmp_path: Path) -> None:
    _, record = trained(small(validation=40))

    assert evaluate_run(tmp_path / "run.h5", split="val").error == record.metrics["val"]["error"][-1]
    assert evaluate_run(tmp_path / "run.h5", split="train").images == 160
    assert evaluate_run(tmp_path / "run.h5", split="test").images == 100


def test_a_split_that_the_run_does_not_have(trained: Train, tmp_path: Path) -> None:
    trained(small(iterations=1))

    with pytest.raises(UsageError, match="val"):
        evaluate_run(tmp_path / "run.h5", split="val")


def test_a_store_that_tells_of_no_session(trained: Train, tmp_path: Path) -> None:
    _, record = trained(small())
    write_run(tmp_path / "run.h5", replace(record, sessions=()))

    assert evaluate_run(tmp_path / "run.h5", backend="cpu").error == record.metrics["test"]["error"][-1]


def test_a_backend_that_fails_at_its_precision_is_named(
    trained: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(small(iterations=1))
    monkeypatch.setattr(CpuBackend, "precision", lambda self, asked: {}[asked])

    with pytest.raises(BackendError, match="cpu"):
        evaluate_run(tmp_path / "run.h5", backend="cpu")


def test_a_dry_run_measures_and_writes_nothing(tmp_path: Path) -> None:
    report = dry_run(Request(recipe=small(), path=tmp_path / "new" / "run.h5", threads=1))

    assert list(tmp_path.iterdir()) == []
    assert report.seconds_per_step > 0
    assert report.seconds == pytest.approx(12 * report.seconds_per_step)
    assert 0 < report.memory_needed < report.memory_free
    assert report.recipe["precision"] == "fp32"


def test_a_dry_run_says_when_memory_does_not_suffice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = Device(name="a small machine", memory_total=2**24, memory_free=2**20)
    monkeypatch.setattr(CpuBackend, "device", lambda _: tiny)

    with pytest.raises(RescliError, match=r"needs about .* GB; a small machine has 0\.0 GB free"):
        dry_run(Request(recipe=small(), path=tmp_path / "run.h5", backend="cpu"))


def test_a_dry_run_looks_at_the_store_as_the_run_would(trained: Train, tmp_path: Path) -> None:
    trained(small(iterations=1))

    with pytest.raises(UsageError, match="exists already"):
        dry_run(Request(recipe=small(), path=tmp_path / "run.h5"))
    with pytest.raises(UsageError, match="another recipe"):
        dry_run(Request(recipe=small(seed=1), given={"seed": 1}, path=tmp_path / "run.h5", resume=True))


def test_a_dry_run_says_when_the_folder_cannot_hold_a_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(StoreError, match="cannot be written to"):
        dry_run(Request(recipe=small(), path=tmp_path / "file" / "run.h5"))


def test_the_environment_is_plain_and_complete() -> None:
    facts = describe()

    assert facts["torch"].startswith(torch.__version__.split("+")[0])
    assert facts["numpy"] == np.__version__
    assert source_state(Path("/")) is None
