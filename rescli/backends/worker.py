"""The step itself, in plain PyTorch: what the built-in backends share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rescli.backends.base import Job, Look, State, Tally, Totals
from rescli.backends.checkpointed import checkpoint_blocks
from rescli.backends.compiled import Rehearsal, compile_blocks
from rescli.backends.examination import Examination
from rescli.backends.scores import PIXELS, Scorer
from rescli.backends.statistics import TrueAverage
from rescli.backends.step import TrainingStep
from rescli.backends.team import Team
from rescli.errors import StoreError


class TorchWorker:
    """A `Worker` on a torch device: channels-last, bf16 copies of the weights, sums kept on the device.

    Between two calls of `totals`, `state` or `evaluate` nothing waits for the device.
    """

    def __init__(self, job: Job, device: torch.device, *, eval_batch: int, compiled: bool = False) -> None:
        self.device, self.eval_batch, self.classes = device, eval_batch, job.classes
        self.team = job.team or Team()
        self.bf16 = job.precision == "bf16"
        self.compiled = compiled
        self.network = job.network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.feeds = {split: feed.to(device) for split, feed in job.feeds.items()}
        self.step: TrainingStep | None = None
        self._plan: tuple[Tensor, ...] = ()
        self._images = 0
        self._examinations: dict[str, Examination] = {}
        self._rehearsals: dict[Examination, Rehearsal] = {}
        self._scorer: Scorer | None = None
        self._seed = job.seed if any(isinstance(module, nn.Dropout) for module in self.network.modules()) else None
        if job.checkpoint_activations:
            checkpoint_blocks(self.network)
        if job.sgd is not None:
            feed = self.feeds["train"]
            self.step = TrainingStep(self.network, feed, job.sgd, self.team, bf16=self.bf16, parts=job.accumulate)
            if compiled:
                compile_blocks(self.network)
                self._rehearse = Rehearsal(self.network, self.step.rehearse)
                self._rehearse_pass = Rehearsal(self.network, self.step.rehearse_pass)

    def begin_epoch(self, plan: Sequence[Tensor]) -> None:
        """Take a plan to the device."""
        if self.step is not None:
            self.step.follow(plan)
        else:
            self._plan = tuple(rows.to(self.device, non_blocking=True) for rows in plan)

    def train_step(self, iteration: int, start: int, stop: int, learning_rate: float) -> None:
        """One iteration of SGD."""
        assert self.step is not None, "this job has no optimizer"
        if not self.network.training:
            self.network.train()
        self.step.aim(iteration, start, learning_rate)
        if self.compiled:
            self._rehearse(stop - start)  # which draws, too, where it is a batch's first of its size
        if self._seed is not None:  # dropout follows from seed and iteration: a resumed run draws the same
            torch.manual_seed(_mixed(self._seed, iteration, self.team.rank))
        self._run(self.step, stop - start)
        self.step.went(stop - start)
        self._images += stop - start

    def _run(self, step: TrainingStep, images: int) -> None:
        step(images)

    def differentiate(self, start: int, stop: int) -> None:
        """Loss and gradients of rows of the plan, in training mode and without a step."""
        self.network.train()
        rows = self.step.rows(start, stop) if self.step is not None else tuple(part[start:stop] for part in self._plan)
        x, y = self.feeds["train"](*rows)
        with self._autocast():
            logits = self.network(x)
        F.cross_entropy(logits.float(), y).backward()  # type: ignore[no-untyped-call]
        self.network.zero_grad(set_to_none=True)

    def totals(self) -> Totals:
        """The sums so far, over all processes. Waits for the device."""
        if self.step is None:
            return Totals()
        sums = self.team.sum(torch.stack([self.step.loss, self.step.errors.double()])).tolist()
        first_bad = torch.where(self.step.first_bad < 0, torch.iinfo(torch.int64).max, self.step.first_bad)
        earliest = int(self.team.least(first_bad))
        return Totals(
            loss=sums[0],
            errors=int(sums[1]),
            images=self._images,
            first_bad=None if earliest == torch.iinfo(torch.int64).max else earliest,
        )

    def average_statistics(self, plans: Iterable[Sequence[Tensor]], stop: Callable[[], bool] = lambda: False) -> bool:
        """BN's true averages over batches; False, and nothing changed, if `stop` said yes on the way."""
        assert self.step is not None, "this job trains nothing"
        self.network.train()
        found = TrueAverage(self.network)
        for plan in plans:
            if any(self.team.any(stop())):
                found.undo()
                return False
            self.step.follow(self._sent(plan))
            if self.compiled:
                self._rehearse_pass(len(plan[0]))
            self.step.pass_through(len(plan[0]), found)
        found.settle(self.team)
        return True

    def evaluate(
        self,
        split: str,
        stop: Callable[[], bool] = lambda: False,
        plans: Iterable[Sequence[Tensor]] | None = None,
    ) -> Tally | None:
        """Loss and errors of every image of `split`; None if `stop` said yes on the way. Waits for the device.

        Of several processes each tests its share.
        """
        examination = self._examinations.get(split) or self._examine(split)
        first, count = self.team.share(len(self.feeds[split]))  # type: ignore[arg-type]
        examination.begin(first)
        stopped = False
        for images in self._resident(count) if plans is None else self._brought(examination, plans):
            stopped = stopped or stop()
            if stopped:
                break
            self._test(examination, images)
        if any(self.team.any(stopped)):
            return None
        return Tally(
            loss=float(self.team.sum(examination.loss)),
            images=self.team.sum(examination.images).cpu().numpy(),
            errors=self.team.sum(examination.errors).cpu().numpy(),
        )

    def _resident(self, count: int) -> Iterable[int]:
        """The sizes of batches of images that lie on the device."""
        return (min(self.eval_batch, count - begin) for begin in range(0, count, self.eval_batch))

    def _brought(self, examination: Examination, plans: Iterable[Sequence[Tensor]]) -> Iterable[int]:
        """The sizes of batches of images that come with plans, small enough for the device."""
        for plan in plans:
            examination.follow(self._sent(plan))
            count, height, width = plan[0].shape[:3]
            most = max(1, PIXELS.get(self.device.type, PIXELS["cpu"]) // (height * width))
            yield from (min(most, count - begin) for begin in range(0, count, most))

    def _sent(self, plan: Sequence[Tensor]) -> Sequence[Tensor]:
        """A plan as it goes to the device."""
        return plan

    def scores(self, split: str, pixels: npt.NDArray[np.uint8], look: Look) -> npt.NDArray[np.float64]:
        """Mean scores of the views of each image, [n, classes]. The weights are those of the first call."""
        if self._scorer is None:
            self._scorer = Scorer(
                self.network, bf16=self.bf16, device=self.device, finish=self._finish, compiled=self.compiled
            )
        return self._scorer(self.feeds[split], pixels, look)

    def _examine(self, split: str) -> Examination:
        made = Examination(
            self.network,
            self.feeds[split],
            self.classes,
            bf16=self.bf16,
            device=self.device,
            compiled=self.compiled,
            finish=self._finish,
        )
        self._examinations[split] = made
        return made

    def _finish(self, network: nn.Module) -> nn.Module:
        """What a device makes of a folded network."""
        return network

    def _test(self, examination: Examination, images: int) -> None:
        """The next images."""
        if examination.settled and self.compiled:
            if examination not in self._rehearsals:
                self._rehearsals[examination] = Rehearsal(examination.module, examination.rehearse)
            self._rehearsals[examination](images)
        self._look(examination, images)

    def _look(self, examination: Examination, images: int) -> None:
        """The same, on a device that may have a faster way than calling it."""
        examination(images)

    def state(self) -> State:
        """Copies on the host, in the usual memory order."""
        return State(
            model={name: _host(value) for name, value in self.network.state_dict().items()},
            momentum={name: _host(value) for name, value in self._momentum().items()},
            totals=self.totals(),
        )

    def load(self, state: State) -> None:
        """Go on from `state`. Raises `StoreError` where its tensors are not those of this network."""
        _copy("weights", self.network.state_dict(), state.model)
        if self.step is None:
            return
        _copy("momentum", self._momentum(), state.momentum)
        self.step.flat.refresh()
        self._images = state.totals.images
        mine = state.totals if self.team.first else Totals()  # the others' sums begin anew: they are added up
        self.step.loss.fill_(mine.loss)
        self.step.errors.fill_(mine.errors)
        self.step.first_bad.fill_(-1 if mine.first_bad is None else mine.first_bad)

    def close(self) -> None:
        """Nothing here outlives the worker."""

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    def _momentum(self) -> dict[str, Tensor]:
        return {} if self.step is None else self.step.optimizer.momentum


def _mixed(*numbers: int) -> int:
    """A seed in which each of these numbers counts."""
    digest = blake2b(repr(numbers).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def _host(tensor: Tensor) -> npt.NDArray[Any]:
    # Always a copy: on the CPU, training goes on in the original while the copy is written to disk.
    copy = torch.empty(tensor.shape, dtype=tensor.dtype)
    array: npt.NDArray[Any] = copy.copy_(tensor.detach()).numpy()
    return array


@torch.no_grad()
def _copy(what: str, ours: Mapping[str, Tensor], theirs: Mapping[str, npt.NDArray[Any]]) -> None:
    missing, extra = sorted(set(ours) - set(theirs)), sorted(set(theirs) - set(ours))
    if missing or extra:
        raise StoreError(f"the stored {what} are of another network: missing {missing[:3]}, not known {extra[:3]}")
    for name, tensor in ours.items():
        if tuple(tensor.shape) != theirs[name].shape:
            raise StoreError(
                f"the stored {what} are of another network: {name} is {theirs[name].shape}, not {tuple(tensor.shape)}"
            )
        tensor.copy_(torch.from_numpy(np.ascontiguousarray(theirs[name])))
