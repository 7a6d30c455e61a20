"""A spec turned into an `nn.Module`, and its initialization."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rescli.models.layers import layers
from rescli.models.norm import BatchNorm
from rescli.models.spec import Block, NetworkSpec, blocks


class Conv(nn.Conv2d):
    """A convolution without bias, its weights not yet set: `initialize` does that, for all layers in one order."""

    def __init__(self, in_channels: int, channels: int, kernel: int, stride: int = 1) -> None:
        super().__init__(in_channels, channels, kernel, stride, padding=kernel // 2, bias=False)

    def reset_parameters(self) -> None:
        """Nothing: PyTorch's initialization would be overwritten, and at depth 1202 takes longer than all the rest."""


class Linear(nn.Linear):
    """A fully-connected layer with bias, its weights not yet set, as in `Conv`."""

    def reset_parameters(self) -> None:
        """Nothing, as in `Conv`."""


class PlainBlock(nn.Module):
    """Two 3x3 convolutions, each with BN and ReLU; no shortcut. The plain nets of Sec. 3.3 are made of these."""

    def __init__(self, block: Block, bn_groups: int) -> None:
        super().__init__()
        self.conv1 = Conv(block.in_channels, block.channels, 3, block.stride)
        self.bn1 = BatchNorm(block.channels, groups=bn_groups)
        self.conv2 = Conv(block.channels, block.channels, 3)
        self.bn2 = BatchNorm(block.channels, groups=bn_groups)

    def residual(self, x: Tensor) -> Tensor:
        """F(x) of Eqn. 1: the layers before the last nonlinearity."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out: Tensor = self.bn2(self.conv2(x))
        return out

    def forward(self, x: Tensor) -> Tensor:
        """[N, C_in, H, W] -> [N, C, H / stride, W / stride]."""
        return F.relu(self.residual(x), inplace=True)


class BasicBlock(PlainBlock):
    """y = F(x) + x, ReLU after the addition (Fig. 2; Fig. 5 left)."""

    def __init__(self, block: Block, bn_groups: int) -> None:
        super().__init__(block, bn_groups)
        self.downsample: nn.Module = shortcut(block, bn_groups)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C_in, H, W] -> [N, C, H / stride, W / stride]."""
        # BN needs its input for the backward pass, not its output: the addition may overwrite that.
        return F.relu(self.residual(x).add_(self.downsample(x)), inplace=True)


class PadShortcut(nn.Module):
    """Option A: identity on every stride-th pixel, the new channels zero, appended after the old ones. No parameters."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.stride = block.stride
        self.extra = block.channels - block.in_channels

    def forward(self, x: Tensor) -> Tensor:
        """[N, C_in, H, W] -> [N, C, H / stride, W / stride]."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra))


def shortcut(block: Block, bn_groups: int) -> nn.Module:
    """The shortcut connection of a residual block (Sec. 3.3): identity, zero-padding (A), or a 1x1 projection (B, C)."""
    if block.projection:
        return nn.Sequential(
            Conv(block.in_channels, block.channels, 1, block.stride),
            BatchNorm(block.channels, groups=bn_groups),
        )
    return PadShortcut(block) if block.reshapes else nn.Identity()


class ResNet(nn.Module):
    """Stem, stages, global average pool, fc. Plain nets too: they are the same without shortcuts.

    Images [N, 3, input_size, input_size] -> logits [N, classes].
    """

    def __init__(self, spec: NetworkSpec, *, bn_groups: int = 1) -> None:
        super().__init__()
        self.spec = spec
        stem = spec.stem
        self.conv1 = Conv(3, stem.channels, stem.kernel, stem.stride)
        self.bn1 = BatchNorm(stem.channels, groups=bn_groups)
        kind = PlainBlock if spec.plain else BasicBlock
        stages: dict[str, list[nn.Module]] = {}
        for block in blocks(spec):
            stages.setdefault(block.name.partition(".")[0], []).append(kind(block, bn_groups))
        for name, members in stages.items():
            self.add_module(name, nn.Sequential(*members))
        self.stage_names = tuple(stages)
        self.fc = Linear(spec.features, spec.classes)

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, classes]."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        for name in self.stage_names:
            x = self.get_submodule(name)(x)
        logits: Tensor = self.fc(x.mean((2, 3)))
        return logits


def build(spec: NetworkSpec, *, seed: int = 0, bn_groups: int = 1) -> ResNet:
    """The network of `spec` on the CPU, initialized from `seed`. `bn_groups`: see `BatchNorm`."""
    net = ResNet(spec, bn_groups=bn_groups)
    initialize(net, seed)
    return net


@torch.no_grad()
def initialize(net: ResNet, seed: int) -> None:
    """[12]: zero-mean Gaussian weights with std sqrt(2 / fan_in), zero biases; BN begins with weight 1, bias 0.

    [12] treats a fully-connected layer as a convolution with a 1x1 kernel, and so do we.
    """
    generator = torch.Generator().manual_seed(seed)
    for layer in layers(net.spec):
        module = net.get_submodule(layer.name)
        assert isinstance(module, (Conv, Linear))
        module.weight.normal_(0.0, math.sqrt(2 / layer.fan_in), generator=generator)
        if module.bias is not None:
            module.bias.zero_()
