"""Residual and plain networks as an `nn.Module`."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from rescli.models.blocks import Conv, Linear, PlainBlock, ResidualBlock
from rescli.models.norm import BatchNorm
from rescli.models.spec import NetworkSpec, blocks


class ResNet(nn.Module):
    """Stem, stages, global average pool, fc. Plain nets too: they are the same without shortcuts.

    Images [N, 3, H, W] -> logits [N, classes].
    """

    def __init__(self, spec: NetworkSpec, *, bn_groups: int = 1) -> None:
        super().__init__()
        self.spec = spec
        stem = spec.stem
        self.conv1 = Conv(3, stem.channels, stem.kernel, stem.stride, bias=stem.bias)
        self.bn1 = BatchNorm(stem.channels, groups=bn_groups)
        kind = PlainBlock if spec.plain else ResidualBlock
        stages: dict[str, list[nn.Module]] = {}
        for block in blocks(spec):
            stages.setdefault(block.name.partition(".")[0], []).append(kind(block, bn_groups))
        for name, members in stages.items():
            self.add_module(name, nn.Sequential(*members))
        self.stage_names = tuple(stages)
        self.fc = Linear(spec.features, spec.classes)

    def features(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, C, H', W'], the last stage's map."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        if self.spec.stem.pool == "padded":
            x = F.max_pool2d(x, 3, 2, padding=1)
        elif self.spec.stem.pool == "ceil":
            x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        for name in self.stage_names:
            x = self.get_submodule(name)(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, classes]."""
        logits: Tensor = self.fc(self.features(x).mean((2, 3)))
        return logits
