"""How a batch is shared, and what processes decide together."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rescli.backends.cpu import CpuBackend
from rescli.backends.team import Team
from rescli.data.order import Order
from rescli.engine.prepare import check_parts, settle
from rescli.engine.request import Request
from rescli.engine.train import train
from rescli.errors import BackendError, StoreError, UsageError
from rescli.models.build import build
from rescli.models.cifar import cifar_spec
from rescli.program import processes
from tests.backends.jobs import job
from tests.engine.conftest import small


@given(st.integers(1, 300), st.integers(1, 9))
def test_a_batch_is_cut_as_torch_cuts_it(count: int, size: int) -> None:
    parts = [Team(rank, size).share(count) for rank in range(size)]
    expected = [(int(part[0]), len(part)) for part in torch.arange(count).chunk(size)]

    assert [part for part in parts if part[1]] == expected
    assert sum(part[1] for part in parts) == count


def test_alone_nothing_is_shared() -> None:
    team = Team()
    tensor = torch.tensor([1.0, 2.0])

    assert team.first
    assert team.sum(tensor) is tensor
    assert team.any(True, False) == (True, False)
    assert team.from_first(lambda: 3) == 3
    with pytest.raises(StoreError):
        team.from_first(_fail)


def _fail() -> int:
    raise StoreError("no")


class Half(Team):
    """One of two processes, whose sums are pretended: those of the other are added by hand."""

    def __init__(self, rank: int) -> None:
        super().__init__(rank, 2)
        self.seen: list[torch.Tensor] = []

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        self.seen.append(tensor.clone())
        return tensor


def test_the_halves_of_a_step_add_up_to_bn_over_two_groups(images: object) -> None:
    """Gradients of both processes summed, and the mean of their statistics, are those of one with two groups."""
    one = CpuBackend().start(job(images, network=build(cifar_spec(8), bn_groups=2)))
    halves = [Half(0), Half(1)]
    workers = [CpuBackend().start(job(images, team=team)) for team in halves]
    for worker in (one, *workers):
        assert worker.step is not None
        worker.begin_epoch(worker.feeds["train"].plan_tensors(Order(96, 0).epoch(0)))  # type: ignore[operator]
    seen = []
    original = one.step.optimizer.step  # type: ignore[union-attr]

    def remember(rate: torch.Tensor) -> None:
        assert one.step is not None
        seen.append(one.step.flat.gradients.clone())
        original(rate)

    one.step.optimizer.step = remember  # type: ignore[union-attr, method-assign]
    for worker in (one, *workers):
        worker.train_step(0, 32, 64, 0.1)

    gradients = halves[0].seen[0] + halves[1].seen[0]
    statistics = (halves[0].seen[1] + halves[1].seen[1]) / 2
    torch.testing.assert_close(gradients, seen[0], rtol=1e-4, atol=1e-6)
    assert one.step is not None
    torch.testing.assert_close(statistics, torch.cat(one.step.statistics), rtol=1e-5, atol=1e-6)


def test_bn_is_over_what_a_process_has(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert processes() == 2
    request = Request(recipe=small(), path=Path("run.h5"))
    assert settle(request, CpuBackend()).bn_images == 16
    with pytest.raises(UsageError, match="cannot share batches of 33 images evenly"):
        settle(Request(recipe=small(batch_size=33), path=Path("run.h5")), CpuBackend())


def test_processes_that_cannot_share_are_told() -> None:
    check_parts(small(bn_images=16), CpuBackend(), Team(0, 2))
    with pytest.raises(UsageError, match="4 processes cannot share batches of 32 images with BN over 16"):
        check_parts(small(bn_images=16), CpuBackend(), Team(0, 4))

    class Elsewhere:
        name = "elsewhere"

    with pytest.raises(BackendError, match="'elsewhere' cannot share a run among 2 processes"):
        check_parts(small(bn_images=16), Elsewhere(), Team(0, 2))  # type: ignore[arg-type]


def test_a_lack_of_memory_is_not_another_process_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    def all_reduce(_: torch.Tensor) -> None:
        raise RuntimeError(
            "NCCL error in: ProcessGroupNCCL.cpp:3356, unhandled cuda error (run with NCCL_DEBUG=INFO for details)\n"
            "Last error:\nCuda failure 2 'out of memory'"
        )

    monkeypatch.setattr("torch.distributed.all_reduce", all_reduce)
    with pytest.raises(RuntimeError, match="out of memory"):
        Team(0, 2).sum(torch.ones(1))


def test_recordings_go_before_the_processes_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """NCCL waits at its end for every graph that holds a call to it."""
    said: list[str] = []
    monkeypatch.setattr("rescli.backends.worker.TorchWorker.close", lambda self: said.append("closed"))
    monkeypatch.setattr("rescli.engine.train.leave", lambda: said.append("left"))
    train(Request(recipe=small(), path=tmp_path / "run.h5", threads=1, backend="cpu"))
    assert said == ["closed", "left"]
