"""The CUDA backend. Skipped where there is no GPU, but for what needs none."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from benchmarks.kills import same
from rescli.backends.base import Look
from rescli.backends.capture import Replayed
from rescli.backends.cpu import CpuBackend
from rescli.backends.cuda import AHEAD, CudaBackend, CudaWorker
from rescli.data import synthetic
from rescli.data.feed import ResidentImages
from rescli.data.mean import mean_image
from rescli.data.order import Order
from rescli.engine.observer import Silent
from rescli.engine.request import Request
from rescli.engine.train import train
from rescli.errors import BackendError
from rescli.recipes.cifar import CifarRecipe
from rescli.store.reader import read_run
from tests.backends.jobs import job, steps
from tests.backends.test_step import train as train_steps


def test_where_there_is_no_gpu_it_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)

    reason = CudaBackend().unavailable()

    assert reason is not None
    assert "GPU" in reason or "built without CUDA" in reason


@pytest.mark.parametrize(
    ("capability", "native", "asked", "answer"),
    [
        ((9, 0), True, "auto", "bf16"),
        ((7, 0), False, "auto", "fp32"),
        ((9, 0), True, "tf32", "tf32"),
        ((7, 0), False, "fp32", "fp32"),
        ((7, 0), False, "bf16", None),
        ((7, 5), False, "tf32", None),
    ],
)
def test_precisions(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], native: bool, asked: str, answer: str | None
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: capability)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")

    if answer is None:
        with pytest.raises(BackendError, match="a GPU has no"):
            CudaBackend().precision(asked)
    else:
        assert CudaBackend().precision(asked) == answer


class Pretended:
    """A stream or an event that writes down what is asked of it."""

    said: ClassVar[list[str]] = []

    def __init__(self, *_: Any, **__: Any) -> None:
        self.name = type(self).__name__

    def __getattr__(self, what: str) -> Any:
        return lambda *_: self.said.append(what)


@pytest.fixture
def pretended(monkeypatch: pytest.MonkeyPatch, images: object) -> CudaWorker:
    """A `CudaWorker` on the processor; what it says to streams and events is in `Pretended.said`."""
    Pretended.said.clear()
    for name, value in {
        "Stream": Pretended,
        "Event": Pretended,
        "graph_pool_handle": lambda: None,
        "synchronize": lambda *_: Pretended.said.append("device waited for"),
        "stream": lambda _: nullcontext(),
        "current_stream": lambda *_: Pretended(),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)
    worker = CudaWorker(job(images), torch.device("cpu"), eval_batch=50, compiled=False)
    Pretended.said.clear()
    return worker


def test_cublas_has_its_workspace_before_anything_is_multiplied() -> None:
    """PyTorch looks once in a process, and a job that needs it may not be the first."""
    assert os.environ["CUBLAS_WORKSPACE_CONFIG"]


def test_the_host_is_at_most_some_plans_ahead(pretended: CudaWorker) -> None:
    """Whatever the plans are for: training, or statistics, or tests."""
    plan = pretended.feeds["train"].plan_tensors(Order(96, 0).epoch(0))  # type: ignore[operator]
    for _ in range(AHEAD):
        pretended.begin_epoch(plan)
    assert "synchronize" not in Pretended.said
    for number in range(1, 4):
        pretended.begin_epoch(plan)
        assert Pretended.said.count("synchronize") == number
    pretended.average_statistics([[rows[:32] for rows in plan]] * 3)
    assert Pretended.said.count("synchronize") == 6


def test_what_hooks_found_is_there_when_it_is_read(pretended: CudaWorker) -> None:
    pretended.begin_epoch(pretended.feeds["train"].plan_tensors(Order(96, 0).epoch(0)))  # type: ignore[operator]
    pretended.differentiate(0, 32)
    assert Pretended.said[-1] == "wait_stream"


def test_whole_images_are_not_tuned_for(pretended: CudaWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rescli.backends.worker.TorchWorker.scores", lambda *_: torch.backends.cudnn.benchmark)
    for pooling, tuned in (("windows", False), (None, True), ("global", False)):
        look = Look(average="softmax", pooling=pooling, mirrored=False)
        assert pretended.scores("test", np.zeros(0, np.uint8), look) is tuned  # type: ignore[comparison-overlap]


def test_nothing_recorded_outlives_the_worker(pretended: CudaWorker) -> None:
    pretended._steps = Replayed(lambda _: None, lambda body: body, "the training step")
    for _ in range(3):
        pretended._steps(32)
    held = pretended._steps  # as the traceback of an error holds it
    assert list(held.recorded) == [32]
    pretended.close()
    assert list(held.recorded) == []
    assert vars(pretended)["_steps"] is None
    assert Pretended.said == [], "the device is not waited for"


class TestOnAGpu:
    """Run with `make test-gpu`."""

    pytestmark = pytest.mark.gpu

    def test_batches_are_the_cpus_bit_for_bit(self) -> None:
        whole = synthetic.make()
        feed = ResidentImages(whole.train, mean_image(whole.train.images))
        plan = [rows[:256] for rows in feed.plan_tensors(Order(len(whole.train), 5).epoch(3))]
        x, y = feed(*plan)

        cuda = feed.to("cuda")
        theirs_x, theirs_y = cuda(*(rows.cuda() for rows in plan))

        assert torch.equal(x, theirs_x.cpu())
        assert torch.equal(y, theirs_y.cpu())

    def test_a_step_is_the_cpus_to_rounding(self, images: object) -> None:
        ours, theirs = CpuBackend().start(job(images)), CudaBackend().start(job(images))
        steps(ours, images)
        steps(theirs, images)

        assert theirs.totals().loss == pytest.approx(ours.totals().loss, rel=1e-4)
        for name, value in ours.state().model.items():
            np.testing.assert_allclose(theirs.state().model[name], value, rtol=2e-2, atol=2e-3, err_msg=name)

    def test_no_step_waits_for_the_device(self, images: object) -> None:
        worker = CudaBackend().start(job(images, precision="bf16"))
        steps(worker, images)
        plan = worker.feeds["train"].plan_tensors(Order(96, 0).epoch(1))  # type: ignore[operator]
        torch.cuda.set_sync_debug_mode("error")
        try:
            worker.begin_epoch(plan)
            for step in range(3):
                worker.train_step(step, 32 * step, 32 * (step + 1), 0.1)
        finally:
            torch.cuda.set_sync_debug_mode("default")

    @pytest.mark.parametrize("precision", ["fp32", "bf16"])
    def test_deterministic_runs_are_equal(self, tmp_path: Path, precision: str) -> None:
        recipe = CifarRecipe.from_dict({"dataset": "synthetic", "depth": 8, "iterations": 60, "precision": precision})
        for name in ("a.h5", "b.h5"):
            train(Request(recipe=recipe, path=tmp_path / name, backend="cuda", deterministic=True), Silent())

        assert same(read_run(tmp_path / "a.h5"), read_run(tmp_path / "b.h5")) == []

    @pytest.mark.parametrize("compiled", [False, True])
    def test_a_hundred_replayed_steps_are_the_ordinary_ones(self, images: object, compiled: bool) -> None:
        """In fp32: to 1e-5 where only the replay differs, to 1e-3 where the compiler orders sums in another way.

        That at a small rate, for at a large one rounding grows; and with algorithms that give the same bits every time.
        """
        replayed, ordinary = (
            CudaBackend().start(job(images, compile=compiled and number == 0, deterministic=True))
            for number in range(2)
        )
        ordinary._run = lambda step, images: step(images)  # type: ignore[method-assign]
        train_steps(replayed, 100, rate=1e-3)
        train_steps(ordinary, 100, rate=1e-3)

        assert replayed._steps is not None
        assert replayed._steps.failure is None
        assert replayed._steps.recorded == (32,)
        for name, value in ordinary.state().model.items():
            ours = replayed.state().model[name]
            assert np.linalg.norm(ours - value) <= (1e-3 if compiled else 1e-5) * np.linalg.norm(value) + 1e-6, name

    def test_evaluations_are_replayed_with_new_weights(self, images: object) -> None:
        worker, cpu = CudaBackend().start(job(images)), CpuBackend().start(job(images))
        for _ in range(4):  # twice as they are, recorded, replayed
            steps(worker, images)
            cpu.load(worker.state())
            ours, theirs = worker.evaluate("test"), cpu.evaluate("test")
            assert ours is not None
            assert theirs is not None
            assert ours.loss == pytest.approx(theirs.loss, rel=1e-3)
        assert [tests.recorded for tests in worker._tests.values()] == [(50,)]

    def test_two_workers_take_turns_on_streams_of_their_own(self, images: object) -> None:
        first, second, alone = (CudaBackend().start(job(images, deterministic=True, compile=False)) for _ in range(3))
        for _ in range(4):
            steps(first, images)
            steps(second, images)
        for _ in range(4):
            steps(alone, images)
        assert first.stream != second.stream
        for name, value in alone.state().model.items():
            assert np.array_equal(first.state().model[name], value), name
            assert np.array_equal(second.state().model[name], value), name


def test_older_switches_of_arithmetic_answer_too() -> None:
    """PyTorch's compiler reads some of them. In a process of its own: they are the whole process's."""
    said = """
import warnings
from types import SimpleNamespace
import torch
from rescli.backends.cuda import _set_arithmetic
warnings.simplefilter("error")
for precision in ("fp32", "tf32", "bf16", "tf32", "fp32"):
    _set_arithmetic(SimpleNamespace(precision=precision, deterministic=False))
    warnings.simplefilter("ignore")
    print(torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32, torch.get_float32_matmul_precision())
    print(torch.backends.cudnn.conv.fp32_precision, torch.backends.cuda.matmul.fp32_precision)
    warnings.simplefilter("error")
"""
    shown = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout.splitlines()
    off, on = ["False False highest", "ieee ieee"], ["True True high", "tf32 tf32"]
    assert shown == [*off, *on, *off, *on, *off]
