"""One iteration of SGD as a function of tensors that stay where they are, so that it can be captured and replayed."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rescli.backends.base import Sgd
from rescli.backends.flat import FlatParameters
from rescli.backends.sgd import MomentumSgd
from rescli.backends.statistics import MeanOverParts, TrueAverage, average, put, statistics_of
from rescli.backends.team import Team


class TrainingStep:
    """Gather and augment a batch, forward, backward, SGD, and the sums that the metrics are made of.

    What changes from step to step lies in tensors: the first row of the batch, the iteration, the learning rate, the plan of
    the epoch. A step moves the first two on by itself; `aim` writes only what is different from that.
    """

    def __init__(
        self, network: nn.Module, feed: nn.Module, sgd: Sgd, team: Team, *, bf16: bool, parts: int = 1
    ) -> None:
        self.network, self.feed, self.team, self._parts = network, feed, team, parts
        self.statistics = statistics_of(network)
        self.flat = FlatParameters(network, bf16=bf16)
        self.optimizer = MomentumSgd(self.flat, sgd)
        self._low = bf16
        device = self.flat.values.device
        self.loss = torch.zeros((), dtype=torch.float64, device=device)
        self.errors = torch.zeros((), dtype=torch.int64, device=device)
        self.first_bad = torch.full((), -1, dtype=torch.int64, device=device)
        self._row = torch.zeros((), dtype=torch.int64, device=device)
        self._iteration = torch.zeros((), dtype=torch.int64, device=device)
        self._rate = torch.zeros((), device=device)
        self._plan: tuple[Tensor, ...] = ()
        self._rows = torch.arange(len(feed), device=device)  # type: ignore[arg-type]
        self._aimed: tuple[int, int, float] | None = None

    def follow(self, plan: Sequence[Tensor]) -> None:
        """Take a plan into the tensors of the one before."""
        self._plan = taken(self._plan, plan, len(self._rows), self._rows.device)

    def rows(self, start: int, stop: int) -> tuple[Tensor, ...]:
        """Rows of the plan."""
        return tuple(part[start:stop] for part in self._plan)

    def aim(self, iteration: int, row: int, rate: float) -> None:
        """Which iteration is next, at which row its batch begins, and the learning rate. Does not wait for the device."""
        before = self._aimed or (None, None, None)
        for tensor, old, new in zip(
            (self._iteration, self._row, self._rate), before, (iteration, row, rate), strict=True
        ):
            if old != new:
                tensor.fill_(new)
        self._aimed = (iteration, row, rate)

    def __call__(self, images: int) -> None:
        """The step, on the next `images` rows; of several processes each takes its share."""
        first, count = self.team.share(images)
        parts = cut(first, count, self._parts)
        statistics = MeanOverParts(self.statistics, len(parts))
        for number, (begin, some) in enumerate(parts):
            with statistics.part():
                self._differentiate(begin, some, images, add=number > 0)
        statistics.settle()
        self.team.sum(self.flat.gradients)
        average(self.statistics, self.team)
        self.optimizer.step(self._rate)
        self._row += images
        self._iteration += 1

    def _differentiate(self, first: int, count: int, images: int, *, add: bool) -> None:
        """The gradient of so many rows, as a part of a batch of `images`; `add` it to that of the parts before."""
        x, y = self._batch(first, count)
        with self.flat.in_place():  # what autocast computes, with the weights cast all at once
            logits = self.network(x)
            loss = F.cross_entropy(logits.float(), y)
            # The mean over a part counts as much as it has images: the sum is the gradient of the mean over the batch.
            scaled = loss if count == images else loss * (count / images)
            self.flat.gather(torch.autograd.grad(scaled, self.flat.leaves), add=add)
        self._count(loss.detach(), logits.detach(), y, count)

    def went(self, images: int) -> None:
        """Say that a step was made (a replayed one does not pass through here by itself)."""
        assert self._aimed is not None
        iteration, row, rate = self._aimed
        self._aimed = (iteration + 1, row + images, rate)

    def rehearse(self, images: int) -> None:
        """Forward and backward pass on the next rows with nothing kept: compilers and autotuners do their work in it."""
        before = [one.clone() for one in self.statistics]
        first, count = cut(*self.team.share(images), self._parts)[0]
        x, y = self._batch(first, count)
        try:
            with self.flat.in_place():
                torch.autograd.grad(F.cross_entropy(self.network(x).float(), y), self.flat.leaves)
        finally:  # where it fails the batch is computed again, and counts once
            put(self.statistics, before)

    @torch.no_grad()
    def rehearse_pass(self, images: int) -> None:
        """The first of `pass_through`'s passes, with nothing kept."""
        before = [one.clone() for one in self.statistics]
        self._row.zero_()
        x, _ = self._batch(*cut(0, images, self._parts)[0])
        try:
            with self.flat.in_place():
                self.network(x)
        finally:
            put(self.statistics, before)

    @torch.no_grad()
    def pass_through(self, images: int, average: TrueAverage) -> None:
        """Forward passes in training mode of the plan's first rows, for what BN sees in them."""
        self._row.zero_()
        self._aimed = None
        parts = cut(0, images, self._parts)
        for first, count in parts:
            x, _ = self._batch(first, count)
            with average.batch(1 / len(parts)), self.flat.in_place():
                self.network(x)

    def _batch(self, first: int, count: int) -> tuple[Tensor, Tensor]:
        rows = self._rows[first : first + count] + self._row
        x, y = self.feed(*(part.index_select(0, rows) for part in self._plan))
        return x.to(torch.bfloat16) if self._low else x, y

    @torch.no_grad()
    def _count(self, loss: Tensor, logits: Tensor, y: Tensor, images: int) -> None:
        # Never reset, so that the sums do not depend on when somebody looks: floating-point addition is not associative,
        # and a resumed run must show the same digits.
        self.loss += loss.double() * images
        self.errors += (logits.argmax(1) != y).sum()
        bad = ~torch.isfinite(loss) & (self.first_bad < 0)
        self.first_bad.copy_(torch.where(bad, self._iteration, self.first_bad))


def cut(first: int, count: int, parts: int) -> list[tuple[int, int]]:
    """Rows `first` to `first + count` in parts, as `torch.chunk` cuts: where each begins, and how many it has."""
    each = max(1, -(-count // parts))
    return [(first + begin, min(each, count - begin)) for begin in range(0, count, each)]


def taken(mine: tuple[Tensor, ...], plan: Sequence[Tensor], most: int, device: torch.device) -> tuple[Tensor, ...]:
    """The tensors `mine` with a plan of at most `most` rows copied into them; they are made for the first one."""
    if len(mine) != len(plan):
        mine = tuple(torch.empty((most, *rows.shape[1:]), dtype=rows.dtype, device=device) for rows in plan)
    for tensor, rows in zip(mine, plan, strict=True):
        tensor[: len(rows)].copy_(rows, non_blocking=True)
    return mine
