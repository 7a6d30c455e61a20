"""BN's running statistics in one buffer, so that several processes can average them in one go."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rescli.backends.team import Team


def flatten_statistics(network: nn.Module) -> Tensor:
    """Make every running mean and variance a view of one buffer, and return that."""
    layers = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    pairs = [(layer, name) for layer in layers for name in ("running_mean", "running_var")]
    buffers = [getattr(layer, name) for layer, name in pairs]
    if not all(isinstance(buffer, Tensor) for buffer in buffers) or not buffers:
        return torch.zeros(0)
    flat = torch.cat([buffer.reshape(-1) for buffer in buffers])
    views = torch.split(flat, [buffer.numel() for buffer in buffers])
    for (layer, name), view in zip(pairs, views, strict=True):
        layer._buffers[name] = view
    return flat


@torch.no_grad()
def average(statistics: Tensor, team: Team) -> None:
    """The mean over the processes, after every step: what `bn_groups` does with the parts of a batch in one process."""
    if team.size > 1 and len(statistics):
        team.sum(statistics).div_(team.size)
