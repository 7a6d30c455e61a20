"""The building blocks of Sec. 3.2 and Fig. 5 as modules, residual and plain."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from rescli.models.norm import BatchNorm
from rescli.models.spec import Block


class Conv(nn.Conv2d):
    """A convolution, its weights not yet set: `initialize` does that, for all layers in one order."""

    def __init__(self, in_channels: int, channels: int, kernel: int, stride: int = 1, *, bias: bool = False) -> None:
        super().__init__(in_channels, channels, kernel, stride, padding=kernel // 2, bias=bias)

    def reset_parameters(self) -> None:
        """Nothing: PyTorch's initialization would be overwritten, and at depth 1202 takes longer than all the rest."""


class Linear(nn.Linear):
    """A fully-connected layer with bias, its weights not yet set, as in `Conv`."""

    def reset_parameters(self) -> None:
        """Nothing, as in `Conv`."""


class PlainBlock(nn.Module):
    """Two 3x3 convolutions, or 1x1, 3x3, 1x1, each with BN and ReLU; no shortcut (the plain nets of Sec. 3.3)."""

    def __init__(self, block: Block, bn_groups: int) -> None:
        super().__init__()
        channels_in = block.in_channels
        for number, (kernel, channels, stride) in enumerate(block.convolutions, start=1):
            self.add_module(f"conv{number}", Conv(channels_in, channels, kernel, stride))
            self.add_module(f"bn{number}", BatchNorm(channels, groups=bn_groups))
            channels_in = channels
        # Outside the modules, so that nothing but the convolutions and their BN has a name in the state_dict.
        self.pairs = tuple((f"conv{n}", f"bn{n}") for n in range(1, len(block.convolutions) + 1))

    def residual(self, x: Tensor) -> Tensor:
        """F(x) of Eqn. 1: the layers before the last nonlinearity."""
        for conv, norm in self.pairs[:-1]:
            x = F.relu(self._modules[norm](self._modules[conv](x)), inplace=True)  # type: ignore[misc]
        conv, norm = self.pairs[-1]
        out: Tensor = self._modules[norm](self._modules[conv](x))  # type: ignore[misc]
        return out

    def forward(self, x: Tensor) -> Tensor:
        """[N, C_in, H, W] -> [N, C, H / stride, W / stride]."""
        return F.relu(self.residual(x), inplace=True)


class ResidualBlock(PlainBlock):
    """y = F(x) + x, ReLU after the addition (Fig. 2; Fig. 5)."""

    def __init__(self, block: Block, bn_groups: int) -> None:
        super().__init__(block, bn_groups)
        self.downsample: nn.Module = shortcut(block, bn_groups)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C_in, H, W] -> [N, C, H / stride, W / stride]."""
        # BN needs its input for the backward pass, not its output: the addition may overwrite that.
        return F.relu(self.residual(x).add_(self.downsample(x)), inplace=True)


class PadShortcut(nn.Module):
    """Option A: identity on every stride-th pixel, the new channels zero. No parameters.

    They are appended after the old ones, or (`padding` "both", as in a well-known re-implementation) half of them on each side.
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.stride = block.stride
        extra = block.channels - block.in_channels
        self.front = extra // 2 if block.padding == "both" else 0
        self.back = extra - self.front

    def forward(self, x: Tensor) -> Tensor:
        """[N, C_in, H, W] -> [N, C, H / stride, W / stride]."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, self.front, self.back))


def shortcut(block: Block, bn_groups: int) -> nn.Module:
    """The shortcut connection of a residual block (Sec. 3.3): identity, zero-padding (A), or a 1x1 projection (B, C)."""
    if block.projection:
        return nn.Sequential(
            Conv(block.in_channels, block.channels, 1, block.stride),
            BatchNorm(block.channels, groups=bn_groups),
        )
    return PadShortcut(block) if block.reshapes else nn.Identity()
