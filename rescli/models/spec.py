"""What a network IS, as plain data without torch.

One description, many readings: the `nn.Module` (`rescli.models.build`), the operators (`rescli.models.operators`), their cost
(`rescli.profiling`) and the names of weights are all read off a spec. The vocabulary is stem, stage, block, shortcut, head.
The forks between implementations are named fields, never silent defaults.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeAlias

Shortcut: TypeAlias = Literal["A", "B", "C"]
"""Sec. 3.3: A identity, zero-padded where channels grow; B a projection where shapes change; C a projection everywhere."""

StrideIn: TypeAlias = Literal["1x1", "3x3"]
"""Which convolution of a bottleneck that halves the map has the stride: the first 1x1 (the original nets) or the 3x3 (v1.5)."""

Padding: TypeAlias = Literal["append", "both"]
"""Where option A puts the new, zero channels: after the old ones, or half of them on each side."""

Pool: TypeAlias = Literal["padded", "ceil"]
"""The 3x3/2 max pooling: with a border of 1 (torchvision), or without and rounding up (the original Caffe nets)."""


@dataclass(frozen=True, kw_only=True)
class Stem:
    """The first convolution, with its BN and ReLU, and the max pooling behind it, if any.

    `bias` is for the original ResNet-50 (alone), whose first convolution has one in front of its BN.
    """

    channels: int
    kernel: int
    stride: int
    pool: Pool | None = None
    bias: bool = False


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A row of Table 1: blocks on maps of one size; `channels` are those of the 3x3 convolutions.

    The first block has the stage's stride.
    """

    channels: int
    blocks: int
    stride: int


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A residual or plain network: stem, stages of blocks, global average pool, fc.

    `shortcut` is None for a plain net: the same layers without shortcuts. `stride_in` is None where no block is a bottleneck,
    `padding` where the shortcut is not option A. `input_size` is in pixels, for square RGB images.
    """

    name: str
    input_size: int
    classes: int
    stem: Stem
    stages: tuple[Stage, ...]
    bottleneck: bool = False
    shortcut: Shortcut | None
    stride_in: StrideIn | None = None
    padding: Padding | None = None

    def __post_init__(self) -> None:
        assert (self.stride_in is not None) == self.bottleneck
        assert (self.padding is not None) == (self.shortcut == "A")

    @property
    def plain(self) -> bool:
        """Whether this is a plain net, without shortcuts."""
        return self.shortcut is None

    @property
    def for_photographs(self) -> bool:
        """Whether it is one of the ImageNet nets: a stem that pools."""
        return self.stem.pool is not None

    @property
    def expansion(self) -> int:
        """A block's output has so many times the channels of its 3x3 convolutions (Fig. 5)."""
        return 4 if self.bottleneck else 1

    @property
    def depth(self) -> int:
        """Number of weighted layers as the paper counts them: convolutions and fc, without projections."""
        return 1 + sum((3 if self.bottleneck else 2) * stage.blocks for stage in self.stages) + 1

    @property
    def features(self) -> int:
        """Number of channels that enter the fc layer."""
        return self.stages[-1].channels * self.expansion


@dataclass(frozen=True, kw_only=True)
class VggSpec:
    """A VGG net (Fig. 3 left): stages of 3x3 convolutions with biases and without BN, max pooling after each, three fc layers.

    `stages` are the channels of each convolution; `hidden` those of the first two fc layers, which have dropout.
    """

    name: str
    input_size: int
    classes: int
    stages: tuple[tuple[int, ...], ...]
    hidden: tuple[int, int]
    for_photographs: ClassVar[bool] = True

    @property
    def depth(self) -> int:
        """Number of weighted layers: convolutions and fc."""
        return sum(len(stage) for stage in self.stages) + len(self.hidden) + 1


Spec: TypeAlias = NetworkSpec | VggSpec


@dataclass(frozen=True, kw_only=True)
class Block:
    """One residual or plain block; `width` are the channels of its 3x3 convolutions, `channels` those of its output."""

    name: str
    in_channels: int
    width: int
    channels: int
    stride: int
    bottleneck: bool
    shortcut: Shortcut | None
    stride_in: StrideIn | None
    padding: Padding | None

    @property
    def reshapes(self) -> bool:
        """Whether the block changes the shape of its input, so that an identity shortcut does not fit."""
        return self.stride != 1 or self.in_channels != self.channels

    @property
    def projection(self) -> bool:
        """Whether the shortcut is a 1x1 convolution with BN."""
        return self.shortcut == "C" or (self.shortcut == "B" and self.reshapes)

    @property
    def convolutions(self) -> tuple[tuple[int, int, int], ...]:
        """Kernel, output channels and stride of each convolution in turn (Fig. 5)."""
        if not self.bottleneck:
            return ((3, self.width, self.stride), (3, self.width, 1))
        first, second = (self.stride, 1) if self.stride_in == "1x1" else (1, self.stride)
        return ((1, self.width, first), (3, self.width, second), (1, self.channels, 1))


def blocks(spec: NetworkSpec) -> Iterator[Block]:
    """The blocks of `spec` from input to output, named as everyone names them: `layer1.0`, `layer1.1`, ..."""
    channels = spec.stem.channels
    for number, stage in enumerate(spec.stages, start=1):
        for index in range(stage.blocks):
            yield Block(
                name=f"layer{number}.{index}",
                in_channels=channels,
                width=stage.channels,
                channels=stage.channels * spec.expansion,
                stride=stage.stride if index == 0 else 1,
                bottleneck=spec.bottleneck,
                shortcut=spec.shortcut,
                stride_in=spec.stride_in,
                padding=spec.padding,
            )
            channels = stage.channels * spec.expansion
