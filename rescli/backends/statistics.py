"""BN's running statistics, which several processes average in one go."""

from __future__ import annotations

from collections.abc import Sequence

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
def average(statistics: Sequence[Tensor], team: Team) -> None:
    """The mean over the processes, after every step: what `bn_groups` does with the parts of a batch in one process."""
    if team.size > 1 and statistics:
        flat = team.sum(torch.cat(list(statistics))).div_(team.size)
        parts = torch.split(flat, [len(one) for one in statistics])
        torch._foreach_copy_(list(statistics), list(parts))
