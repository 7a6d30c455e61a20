"""The processes of one job, under PyTorch's own distributed engine: `torchrun`, gloo between processors, NCCL between GPUs.

Every process holds the whole network and takes its share of each batch; gradients are summed in one all-reduce of the flat
buffer, running statistics of BN are averaged, and decisions (to stop, to write a checkpoint) are taken together.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor

from rescli.errors import BackendError, RescliError, out_of_memory
from rescli.program import processes

T = TypeVar("T")


class LeftAlone(BackendError):
    """Another process of the job is gone. Exit code 5."""


@dataclass(frozen=True)
class Team:
    """Process `rank` of `size`. One process by itself is a team, too: then nothing here does anything."""

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes the store and talks to people."""
        return self.rank == 0

    def share(self, images: int) -> tuple[int, int]:
        """Where this process's part of a batch begins, and how many images it has: as `torch.chunk` cuts.

        That is how BN over parts of a batch cuts it too, so that two processes do what `bn_groups=2` does in one.
        """
        each = -(-images // self.size)
        first = min(self.rank * each, images)
        return first, min(each, images - first)

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over the processes, in place. Raises `LeftAlone`."""
        if self.size > 1:
            with _together():
                dist.all_reduce(tensor)
        return tensor

    def sum_of(self, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The sum over the processes of numbers on the host. Raises `LeftAlone`."""
        if self.size == 1:
            return counts
        total: npt.NDArray[np.int64] = self.sum(torch.from_numpy(counts.copy())).numpy()
        return total

    def least(self, tensor: Tensor) -> Tensor:
        """The smallest over the processes, in place. Raises `LeftAlone`."""
        if self.size > 1:
            with _together():
                dist.all_reduce(tensor, op=dist.ReduceOp.MIN)
        return tensor

    def any(self, *flags: bool) -> tuple[bool, ...]:
        """For each flag whether some process has it set: the same answer everywhere. On the host. Raises `LeftAlone`."""
        if self.size == 1:
            return flags
        votes = torch.tensor([int(flag) for flag in flags])
        with _together():
            dist.all_reduce(votes, op=dist.ReduceOp.MAX)
        return tuple(bool(vote) for vote in votes)

    def from_first(self, make: Callable[[], T]) -> T:
        """What `make` returns in the first process, in all of them; what it raises there is raised everywhere.

        In the others the error counts as told: the first process says it.
        """
        if self.size == 1:
            return make()
        outcome: list[tuple[T | None, RescliError | None]] = [(None, None)]
        if self.first:
            try:
                outcome = [(make(), None)]
            except RescliError as error:
                outcome = [(None, error)]
        with _together():
            dist.broadcast_object_list(outcome)
        value, problem = outcome[0]
        if problem is not None:
            problem.told = not self.first
            raise problem
        return value  # type: ignore[return-value]


@lru_cache(maxsize=1)
def join() -> Team:
    """The place of this process in its job; under `torchrun` it is joined at the first call, and takes its own GPU.

    Raises `BackendError` where a process has no GPU to itself though there are some.
    """
    if processes() == 1:
        return Team()
    if torch.cuda.is_available():
        local, devices = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
        if local >= devices:
            raise BackendError(
                f"process {local} of this machine has no GPU to itself: there are {devices}",
                "Start as many processes as there are GPUs, or hide these: CUDA_VISIBLE_DEVICES=''.",
            )
        torch.cuda.set_device(local)
    with _together(), _stdout_on_stderr():
        dist.init_process_group("cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo")
    return Team(dist.get_rank(), dist.get_world_size())


def leave() -> None:
    """End the connection to the others."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
    join.cache_clear()


@contextmanager
def _stdout_on_stderr() -> Iterator[None]:
    """What libraries print goes to stderr meanwhile: Gloo of PyTorch 2.9 tells stdout, which is for data, who is connected."""
    sys.stdout.flush()
    try:
        stdout = os.dup(1)
    except OSError:  # closed: nothing can be printed there
        yield
        return
    try:
        with suppress(OSError):  # no stderr either
            os.dup2(2, 1)
        yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)


@contextmanager
def _together() -> Iterator[None]:
    try:
        yield
    except RuntimeError as error:
        if out_of_memory(error):
            raise
        what = str(error).partition("\n")[0]
        raise LeftAlone(
            f"another process of this job is gone ({what})",
            "Its own message says why. The store has the last checkpoint: the same command with --resume goes on.",
        ) from error
