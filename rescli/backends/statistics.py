"""BN's running statistics, which several processes average in one go."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rescli.backends.team import Team


def statistics_of(network: nn.Module) -> list[Tensor]:
    """Every running mean and variance.

    They stay tensors of their own: what is compiled writes to them, and must not be told that all of them are one.
    """
    layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    found = [getattr(layer, name) for layer in layers for name in ("running_mean", "running_var")]
    return [buffer for buffer in found if isinstance(buffer, Tensor)]


@torch.no_grad()
def put(statistics: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    """Write values over the running statistics."""
    if statistics:
        torch._foreach_copy_(list(statistics), list(values))


class MeanOverParts:
    """What the statistics become when a batch goes through in parts: the mean over the parts, as `bn_groups` has it.

    Every part begins with the statistics as they were before the batch. One part alone is left as it is.
    """

    def __init__(self, statistics: Sequence[Tensor], parts: int) -> None:
        self._statistics, self._parts = list(statistics) if parts > 1 else [], parts
        self._before = [one.clone() for one in self._statistics]
        self._sums = [torch.zeros_like(one) for one in self._statistics]

    @contextmanager
    def part(self) -> Iterator[None]:
        """Around the forward pass of a part."""
        put(self._statistics, self._before)
        yield
        if self._statistics:
            torch._foreach_add_(self._sums, self._statistics)

    def settle(self) -> None:
        """After the last part."""
        if self._statistics:
            torch._foreach_div_(self._sums, self._parts)
            put(self._statistics, self._sums)


class TrueAverage:
    """Means over batches of what BN sees in them, as the published original nets have them in place of moving averages.

    Running statistics that are zero before a batch are its own times BN's momentum after it. Of variances PyTorch's unbiased
    ones are averaged. Sums are fp64.
    """

    def __init__(self, network: nn.Module) -> None:
        momenta = {layer.momentum for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)}
        assert len(momenta) <= 1, "one for all layers"
        self._momentum = next(iter(momenta), None) or 1.0
        self._statistics = statistics_of(network)
        self._before = [one.clone() for one in self._statistics]
        self._sums = [torch.zeros_like(one, dtype=torch.float64) for one in self._statistics]
        self._batches = 0.0

    @contextmanager
    def batch(self, share: float = 1.0) -> Iterator[None]:
        """Around the forward pass of a batch, or of a part that is such a `share` of one."""
        for one in self._statistics:
            one.zero_()
        yield
        for total, one in zip(self._sums, self._statistics, strict=True):
            total += share * one.double()
        self._batches += share

    def settle(self, team: Team) -> None:
        """Put the averages in place, over all processes."""
        put(self._statistics, [total / (self._momentum * self._batches) for total in self._sums])
        average(self._statistics, team)

    def undo(self) -> None:
        """Put everything back as it was."""
        put(self._statistics, self._before)


@torch.no_grad()
def average(statistics: Sequence[Tensor], team: Team) -> None:
    """The mean over the processes, after every step: what `bn_groups` does with the parts of a batch in one process."""
    if team.size > 1 and statistics:
        flat = team.sum(torch.cat(list(statistics))).div_(team.size)
        parts = torch.split(flat, [len(one) for one in statistics])
        torch._foreach_copy_(list(statistics), list(parts))
