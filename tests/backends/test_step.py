"""The step on flat buffers against the loop that everyone writes; compiled, checkpointed, and replayed."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rescli.backends.capture import Replayed
from rescli.backends.cpu import CpuBackend, CpuWorker
from rescli.backends.examination import Examination
from rescli.backends.flat import FlatParameters
from rescli.backends.onednn import FusedResNet, fused
from rescli.backends.registry import BackendWarning
from rescli.backends.step import TrainingStep
from rescli.backends.team import Team
from rescli.data.feed import ResidentImages
from rescli.data.order import Order
from rescli.models.build import build
from rescli.models.cifar import cifar_spec
from rescli.models.fold import folded
from rescli.models.names import network
from tests.backends.jobs import SGD, job
from tests.models.weights.others import randomized


def train(worker: Any, count: int, batch: int = 32, rate: float = 0.05) -> None:
    """`count` steps over as many epochs as that takes."""
    per_epoch = -(-96 // batch)
    for iteration in range(count):
        epoch, step = divmod(iteration, per_epoch)
        if step == 0:
            worker.begin_epoch(worker.feeds["train"].plan_tensors(Order(96, 0).epoch(epoch)))
        worker.train_step(iteration, batch * step, min(batch * (step + 1), 96), rate if iteration < 6 else rate / 5)


def plain(images: Any, count: int, *, bf16: bool) -> nn.Module:
    """The same recipe with PyTorch's own optimizer and autocast."""
    work = job(images)
    net, feed = work.network.to(memory_format=torch.channels_last), work.feeds["train"]
    assert isinstance(feed, ResidentImages)
    sgd = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    net.train()
    for iteration in range(count):
        epoch, step = divmod(iteration, 3)
        plan = feed.plan_tensors(Order(96, 0).epoch(epoch))
        x, y = feed(*(rows[32 * step : 32 * (step + 1)] for rows in plan))
        sgd.param_groups[0]["lr"] = 0.05 if iteration < 6 else 0.01
        sgd.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            logits = net(x)
        F.cross_entropy(logits.float(), y).backward()  # type: ignore[no-untyped-call]
        sgd.step()
    return net


def distance(worker: Any, net: nn.Module) -> float:
    """Largest relative distance of a parameter's or buffer's values."""
    model = worker.state().model
    return max(
        float(np.linalg.norm(model[name] - value.numpy()) / (np.linalg.norm(value.numpy()) + 1e-12))
        for name, value in net.state_dict().items()
    )


@pytest.mark.parametrize(("bf16", "tolerance"), [(False, 1e-5), (True, 1e-4)])
def test_twelve_steps_are_pytorchs(images: Any, bf16: bool, tolerance: float) -> None:
    worker = CpuBackend().start(job(images, precision="bf16" if bf16 else "fp32"))
    train(worker, 12)

    assert distance(worker, plain(images, 12, bf16=bf16)) < tolerance


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_checkpointed_activations_change_no_bit(images: Any, precision: str) -> None:
    whole, thrifty = (
        CpuBackend().start(
            job(images, network=build(cifar_spec(8), bn_groups=2), precision=precision, checkpoint_activations=flag)
        )
        for flag in (False, True)
    )
    train(whole, 4)
    train(thrifty, 4)

    ours, theirs = whole.state(), thrifty.state()
    assert ours.totals == theirs.totals
    for kind in ("model", "momentum"):
        for name, value in getattr(ours, kind).items():
            assert np.array_equal(value, getattr(theirs, kind)[name]), name


@pytest.mark.long
@pytest.mark.parametrize(("rate", "tolerance"), [(1e-4, 1e-5), (1e-3, 1e-3)])
def test_a_hundred_compiled_steps_are_the_eager_ones(images: Any, rate: float, tolerance: float) -> None:
    """Of each tensor. At larger learning rates rounding grows on the way: 2e-4 of the first layer at 0.005."""
    eager, compiled = (CpuBackend().start(job(images, compile=flag)) for flag in (False, True))
    for worker in (eager, compiled):
        train(worker, 100, rate=rate)

    assert compiled._rehearse.failure is None
    assert eager.totals().loss == pytest.approx(compiled.totals().loss, rel=tolerance)
    for name, value in eager.state().model.items():
        other = compiled.state().model[name]
        assert np.linalg.norm(value - other) <= tolerance * np.linalg.norm(value) + tolerance / 10, name
    ours, theirs = eager.evaluate("test"), compiled.evaluate("test")
    assert ours is not None
    assert theirs is not None
    assert theirs.loss == pytest.approx(ours.loss, rel=10 * tolerance)


def broken(network: nn.Module) -> None:
    """As `compile_blocks` on a machine without a compiler."""

    def fail(*_: Any) -> None:
        raise RuntimeError("no compiler here")

    for module in network.modules():
        module._compiled_call_impl = fail


def test_what_cannot_be_compiled_runs_as_it_is_written(images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rescli.backends.worker.compile_blocks", broken)
    worker, plainly = CpuBackend().start(job(images, compile=True)), CpuBackend().start(job(images))
    with pytest.warns(BackendWarning, match="cannot be compiled here, it runs as it is written.*no compiler here"):
        train(worker, 3)
    train(plainly, 3)

    assert all(np.array_equal(value, worker.state().model[name]) for name, value in plainly.state().model.items())


class Recorder:
    """Stands in for CUDA graphs: what was recorded runs again when replayed."""

    def __init__(self) -> None:
        self.recorded = 0
        self.replayed = 0

    def __call__(self, body: Callable[[], None]) -> Callable[[], None]:
        self.recorded += 1

        def replay() -> None:
            self.replayed += 1
            body()

        return replay


class Replaying(CpuWorker):
    """A worker that replays its steps as the CUDA backend does."""

    def __init__(self, *arguments: Any, record: Any, **rest: Any) -> None:
        super().__init__(*arguments, **rest)
        assert self.step is not None
        self.steps = Replayed(self.step, record, "the training step")

    def _run(self, step: TrainingStep, images: int) -> None:
        self.steps(images)


def test_replayed_steps_are_the_ordinary_ones(images: Any) -> None:
    """Batches of 40 out of 96: two whole ones and a short one of 16 in every epoch, at two learning rates."""
    recorder = Recorder()
    replaying = Replaying(job(images), torch.device("cpu"), eval_batch=50, record=recorder)
    ordinary = CpuBackend().start(job(images))
    train(replaying, 12, batch=40)
    train(ordinary, 12, batch=40)

    assert sorted(replaying.steps.recorded) == [16, 40]
    assert (recorder.recorded, recorder.replayed) == (2, 8)  # the first two of each size ran as they are
    assert ordinary.totals() == replaying.totals()
    assert all(np.array_equal(value, replaying.state().model[name]) for name, value in ordinary.state().model.items())


def test_a_step_is_one_whether_recorded_or_not() -> None:
    ran: list[int] = []

    def refuse(body: Callable[[], None]) -> Callable[[], None]:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    steps = Replayed(ran.append, refuse, "the training step")
    steps(128)
    steps(128)
    with pytest.warns(BackendWarning, match=r"the training step cannot be captured.*not permitted when stream"):
        steps(128)
    steps(128)  # a second warning would be an error here

    assert ran == [128] * 4


def test_memory_that_runs_out_is_not_taken_for_a_failure() -> None:
    def refuse(body: Callable[[], None]) -> Callable[[], None]:
        raise MemoryError

    steps = Replayed(lambda images: None, refuse, "the training step")
    steps(1)
    steps(1)
    with pytest.raises(MemoryError):
        steps(1)


def test_a_rehearsal_that_fails_midway_leaves_no_trace(images: Any) -> None:
    """Statistics of the layers before the failure had moved already, and the batch is computed once more."""
    work = job(images)
    feed = work.feeds["train"]
    assert isinstance(feed, ResidentImages)
    step = TrainingStep(work.network, feed, SGD, Team(), bf16=False)
    step.follow(feed.plan_tensors(Order(96, 0).epoch(0)))
    before = {name: value.clone() for name, value in work.network.state_dict().items()}

    def fail(*_: Any) -> None:
        raise RuntimeError("cannot be compiled")

    work.network.get_submodule("layer2.0.conv2").register_forward_hook(fail)
    work.network.train()
    with pytest.raises(RuntimeError, match="cannot be compiled"):
        step.rehearse(32)
    assert all(torch.equal(value, before[name]) for name, value in work.network.state_dict().items())


@pytest.mark.parametrize("bf16", [False, True])
def test_one_buffer_holds_all_parameters(bf16: bool) -> None:
    net = build(cifar_spec(8, shortcut="C")).to(memory_format=torch.channels_last)
    before = copy.deepcopy(net.state_dict())
    flat = FlatParameters(net, bf16=bf16)

    assert len(flat.values) == sum(value.numel() for value in net.parameters()) + 6, "ten biases, and zeros up to 16"
    assert flat.convolutions == sum(value.numel() for value in net.parameters() if value.ndim == 4)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())
    assert {p.untyped_storage().data_ptr() for p in net.parameters()} == {flat.values.untyped_storage().data_ptr()}
    assert net.get_parameter("layer1.0.conv1.weight").is_contiguous(memory_format=torch.channels_last)
    with flat.in_place():
        kinds = {name: parameter.dtype for name, parameter in net.named_parameters()}
    low = {name for name, kind in kinds.items() if kind == torch.bfloat16}
    assert low == ({name for name in kinds if "bn" not in name and "downsample.1" not in name} if bf16 else set())
    assert all(parameter.dtype == torch.float32 for parameter in net.parameters())


@pytest.mark.parametrize("classes", [3, 7, 10, 100])
@pytest.mark.parametrize("bf16", [False, True])
def test_every_parameter_begins_where_16_bytes_can_be_loaded_at_once(classes: int, bf16: bool) -> None:
    """cuDNN's batch normalization takes that for granted, and ten biases are 40 bytes."""
    net = build(cifar_spec(8, classes=classes)).to(memory_format=torch.channels_last)
    flat = FlatParameters(net, bf16=bf16)
    for tensor in (*net.parameters(), *flat.leaves, *flat.views(flat.gradients)):
        assert tensor.storage_offset() * tensor.element_size() % 16 == 0
    held = sum(int(view.count_nonzero()) for view in flat.views(flat.values))
    assert int(flat.values.count_nonzero()) == held, "all else is zero"


def test_what_is_aimed_at_arrives(images: Any) -> None:
    """After a jump to another iteration the sums name that one; NaN weights make every loss bad."""
    work = job(images)
    feed = work.feeds["train"]
    assert isinstance(feed, ResidentImages)
    step = TrainingStep(work.network, feed, SGD, Team(), bf16=False)
    step.follow(feed.plan_tensors(Order(96, 0).epoch(0)))
    step.aim(41, 32, 0.1)
    with torch.no_grad():
        step.flat.values.fill_(float("nan"))
    step(32)
    assert int(step.first_bad) == 41


@pytest.mark.parametrize("name", ["resnet20", "plain20", "resnet20-c", "resnet18-b", "resnet50"])
@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_fused_operators_give_the_same_answers(name: str, kind: torch.dtype) -> None:
    net = folded(randomized(build(network(name, classes=10)))).to(kind)
    x = torch.randn(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)).to(kind)
    if kind == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        assert fused(net) is net, "a processor without the instructions runs the net itself"
        return

    quick = FusedResNet(net)  # type: ignore[arg-type]

    with torch.no_grad():
        ours, theirs = quick(x).float(), net(x).float()
    assert (ours - theirs).norm() <= (1e-5 if kind == torch.float32 else 2e-2) * theirs.norm()


def test_without_the_operators_the_net_itself_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    net = folded(build(cifar_spec(8)))
    assert isinstance(fused(net), FusedResNet)

    def changed(*_: Any) -> Tensor:
        raise TypeError("another signature")

    monkeypatch.setattr("rescli.backends.onednn._convolve", changed)
    assert fused(net) is net


def test_a_second_evaluation_sees_the_new_weights(images: Any) -> None:
    work = job(images)
    exam = Examination(work.network, work.feeds["test"], 10, bf16=False, device=torch.device("cpu"))
    losses = []
    for _ in range(2):
        exam.begin(0)
        assert exam.settled
        exam(50)
        losses.append(float(exam.loss))
        with torch.no_grad():
            work.network.get_parameter("fc.weight").mul_(2)
    with torch.no_grad():
        work.network.get_parameter("fc.weight").div_(2)
        work.network.eval()
        x, y = work.feeds["test"](torch.arange(50))
        expected = float(F.cross_entropy(work.network(x), y, reduction="sum"))
    assert losses[0] != losses[1]
    assert losses[1] == pytest.approx(expected, rel=1e-5)


def test_statistics_are_averaged_where_nothing_can_be_compiled(images: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that was stopped between its last iteration and these begins with them."""
    monkeypatch.setattr("rescli.backends.worker.compile_blocks", broken)
    worker, plainly = CpuBackend().start(job(images, compile=True)), CpuBackend().start(job(images))
    plan = tuple(rows[:32] for rows in worker.feeds["train"].plan_tensors(Order(96, 0).epoch(0)))  # type: ignore[operator]
    with pytest.warns(BackendWarning, match="cannot be compiled here"):
        worker.average_statistics([plan])
    plainly.average_statistics([plan])

    assert all(np.array_equal(value, worker.state().model[name]) for name, value in plainly.state().model.items())
