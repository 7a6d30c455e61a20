"""Batch normalization over parts of a batch, as when the paper's two GPUs each normalized their own 64 images."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class BatchNorm(nn.BatchNorm2d):
    """BN that cuts a training batch into `groups` equal parts and normalizes each by its own statistics.

    That is what data parallelism does: 128 images on two GPUs are two groups of 64, the short last batch of an epoch two
    smaller ones. The running statistics take the mean over the groups.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int, *, groups: int = 1) -> None:
        super().__init__(channels)
        self.groups = groups
        # Counts batches for a cumulative average, which the paper's nets do not use. At depth 1202 it would be 1,201
        # extra kernels a step.
        self.num_batches_tracked = None

    def _load_from_state_dict(self, state_dict: Any, prefix: str, local_metadata: Any, *rest: Any) -> None:
        # PyTorch adds the count of batches to state_dicts that have none, and would then not know what to do with it.
        state_dict.pop(f"{prefix}num_batches_tracked", None)
        super()._load_from_state_dict(state_dict, prefix, {**local_metadata, "version": self._version}, *rest)

    def reset_running_stats(self) -> None:
        """Mean 0, variance 1."""
        self.running_mean.zero_()
        self.running_var.fill_(1)

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - nn.Module's own name
        """[N, C, H, W] -> [N, C, H, W]."""
        if not self.training or self.groups == 1:
            return super().forward(input)
        parts = input.chunk(self.groups)
        means = [self.running_mean.clone() for _ in parts]
        variances = [self.running_var.clone() for _ in parts]
        outputs = [
            F.batch_norm(part, mean, variance, self.weight, self.bias, True, self.momentum or 0.0, self.eps)
            for part, mean, variance in zip(parts, means, variances, strict=True)
        ]
        with torch.no_grad():
            self.running_mean.copy_(torch.stack(means).mean(0))
            self.running_var.copy_(torch.stack(variances).mean(0))
        return torch.cat(outputs)


def use_batch_statistics(network: nn.Module) -> None:
    """Let every BN normalize by the batch's own statistics in evaluation, too: before training it has none of its own."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean = module.running_var = None
