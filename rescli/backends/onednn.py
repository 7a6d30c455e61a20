"""Convolution, addition and ReLU in one call of oneDNN: what PyTorch's compiler emits for a frozen net, without compiling.

A compiled net would have to be compiled anew after every change of its weights, which takes longer than an evaluation.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rescli.models.blocks import PlainBlock, ResidualBlock
from rescli.models.resnet import ResNet


class FusedResNet(nn.Module):
    """A `folded` net in evaluation mode with the same weights. Images [N, 3, H, W] -> logits [N, classes]."""

    def __init__(self, network: ResNet) -> None:
        super().__init__()
        self.network = network

    def features(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, C, H', W'], the last stage's map."""
        network, pool = self.network, self.network.spec.stem.pool
        x = _convolve(network.conv1, x.contiguous(memory_format=torch.channels_last))
        if pool is not None:
            x = F.max_pool2d(x, 3, 2, padding=int(pool == "padded"), ceil_mode=pool == "ceil")
        for name in network.stage_names:
            for block in network.get_submodule(name).children():
                assert isinstance(block, PlainBlock)
                x = _block(block, x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        """[N, 3, H, W] -> [N, classes]."""
        logits: Tensor = self.network.fc(self.features(x).mean((2, 3)))
        return logits


@torch.no_grad()
def fused(network: nn.Module) -> nn.Module:
    """The same function in fewer passes over the maps; `network` itself where PyTorch lacks the operators for it."""
    if not isinstance(network, ResNet) or not hasattr(torch.ops.mkldnn, "_convolution_pointwise"):
        return network
    candidate, size = FusedResNet(network), network.spec.input_size
    x = torch.ones(1, 3, size, size, dtype=network.fc.weight.dtype)
    try:  # PyTorch's own name for them begins with an underscore: they may change
        candidate(x)
        return candidate if _as_expected(x.dtype) else network
    except (RuntimeError, TypeError, AttributeError, NotImplementedError):
        return network


@cache
def _as_expected(kind: torch.dtype) -> bool:
    """Whether the operators compute what their names say; of numbers of our own: with a run's the answer could change."""
    numbers = torch.Generator().manual_seed(0)
    conv: nn.Conv2d = nn.utils.skip_init(nn.Conv2d, 16, 16, 3, padding=1, dtype=kind)  # type: ignore[no-untyped-call]
    for tensor in conv.parameters():
        tensor.copy_(torch.randn(tensor.shape, generator=numbers) / 8)
    x, shortcut = (
        torch.randn(2, 16, 8, 8, generator=numbers).to(kind, memory_format=torch.channels_last) for _ in range(2)
    )
    y = conv(x)
    return torch.allclose(_convolve(conv, x), F.relu(y), rtol=0.1, atol=0.1) and torch.allclose(
        _convolve(conv, x, shortcut), F.relu(y + shortcut), rtol=0.1, atol=0.1
    )


def _block(block: PlainBlock, x: Tensor) -> Tensor:
    convolutions: list[Any] = [block.get_submodule(conv) for conv, _ in block.pairs]
    y = x
    for convolution in convolutions[:-1]:
        y = _convolve(convolution, y)
    if not isinstance(block, ResidualBlock):
        return _convolve(convolutions[-1], y)
    return _convolve(convolutions[-1], y, block.downsample(x).contiguous(memory_format=torch.channels_last))


def _convolve(conv: Any, x: Tensor, shortcut: Tensor | None = None) -> Tensor:
    """ReLU of the convolution, plus the shortcut if there is one."""
    operator = torch.ops.mkldnn._convolution_pointwise
    how = (conv.padding, conv.stride, conv.dilation, conv.groups)
    y: Tensor
    if shortcut is None:
        y = operator(x, conv.weight, conv.bias, *how, "relu", [], "")
    else:
        y = operator.binary(x, shortcut, conv.weight, conv.bias, *how, "add", 1.0, "relu", [], "")
    return y
