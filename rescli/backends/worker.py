"""The step itself, in plain PyTorch: what the built-in backends share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from rescli.backends.base import Job, State, Tally, Totals
from rescli.backends.sgd import MomentumSgd
from rescli.errors import StoreError
from rescli.models.fold import folded


class TorchWorker:
    """A `Worker` on a torch device: channels-last, autocast for bf16, sums kept on the device.

    Between two calls of `totals`, `state` or `evaluate` nothing waits for the device.
    """

    def __init__(self, job: Job, device: torch.device, *, eval_batch: int) -> None:
        self.device = device
        self.eval_batch = eval_batch
        self.classes = job.classes
        self.bf16 = job.precision == "bf16"
        self.network = job.network.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.feeds = {split: feed.to(device) for split, feed in job.feeds.items()}
        self.optimizer = None if job.sgd is None else MomentumSgd(self.network, job.sgd)
        self._plan: tuple[Tensor, ...] = ()
        self._loss = torch.zeros((), dtype=torch.float64, device=device)
        self._errors = torch.zeros((), dtype=torch.int64, device=device)
        self._first_bad = torch.full((), -1, dtype=torch.int64, device=device)
        self._images = 0

    def begin_epoch(self, plan: Sequence[Tensor]) -> None:
        """Take the plan of an epoch to the device."""
        self._plan = tuple(rows.to(self.device, non_blocking=True) for rows in plan)

    def train_step(self, iteration: int, start: int, stop: int, learning_rate: float) -> None:
        """One iteration of SGD."""
        assert self.optimizer is not None, "this job has no optimizer"
        if not self.network.training:
            self.network.train()
        x, y = self.feeds["train"](*(rows[start:stop] for rows in self._plan))
        with self._autocast():
            logits = self.network(x)
        loss = F.cross_entropy(logits.float(), y)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step(learning_rate)
        self._count(iteration, loss.detach(), logits.detach(), y)

    def differentiate(self, start: int, stop: int) -> None:
        """Loss and gradients of rows of the plan, in training mode and without a step."""
        self.network.train()
        x, y = self.feeds["train"](*(rows[start:stop] for rows in self._plan))
        with self._autocast():
            logits = self.network(x)
        F.cross_entropy(logits.float(), y).backward()  # type: ignore[no-untyped-call]
        self.network.zero_grad(set_to_none=True)

    def totals(self) -> Totals:
        """The sums so far. Waits for the device."""
        first_bad = int(self._first_bad)
        return Totals(
            loss=float(self._loss),
            errors=int(self._errors),
            images=self._images,
            first_bad=None if first_bad < 0 else first_bad,
        )

    @torch.no_grad()
    def evaluate(self, split: str, stop: Callable[[], bool] = lambda: False) -> Tally | None:
        """Loss and errors of every image of `split`; None if `stop` said yes on the way. Waits for the device."""
        self.network.eval()
        network, feed = folded(self.network), self.feeds[split]
        loss = torch.zeros((), dtype=torch.float64, device=self.device)
        images = torch.zeros(self.classes, dtype=torch.int64, device=self.device)
        errors = torch.zeros_like(images)
        everything = torch.arange(len(feed), device=self.device)  # type: ignore[arg-type]
        for rows in torch.split(everything, self.eval_batch):
            if stop():
                return None
            x, y = feed(rows)
            with self._autocast():
                logits = network(x).float()
            loss += F.cross_entropy(logits, y, reduction="sum").double()
            images.scatter_add_(0, y, torch.ones_like(y))
            errors.scatter_add_(0, y, (logits.argmax(1) != y).long())
        return Tally(loss=float(loss), images=images.cpu().numpy(), errors=errors.cpu().numpy())

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
        if self.optimizer is not None:
            _copy("momentum", self._momentum(), state.momentum)
        self._loss.fill_(state.totals.loss)
        self._errors.fill_(state.totals.errors)
        self._first_bad.fill_(-1 if state.totals.first_bad is None else state.totals.first_bad)
        self._images = state.totals.images

    def _autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)

    @torch.no_grad()
    def _count(self, iteration: int, loss: Tensor, logits: Tensor, y: Tensor) -> None:
        # Never reset, so that the sums do not depend on when somebody looks: floating-point addition is not associative,
        # and a resumed run must show the same digits.
        self._loss += loss.double() * len(y)
        self._errors += (logits.argmax(1) != y).sum()
        self._images += len(y)
        bad = ~torch.isfinite(loss) & (self._first_bad < 0)
        self._first_bad.copy_(torch.where(bad, iteration, self._first_bad))

    def _momentum(self) -> dict[str, Tensor]:
        return {} if self.optimizer is None else self.optimizer.momentum


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
