"""What a network IS, as plain data without torch.

One description, many readings: the `nn.Module` (`rescli.models.resnet`), the cost table (`rescli.profiling`) and the names
of layers and weights are all read off a `NetworkSpec`. The vocabulary is stem, stage, block, shortcut, head.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rescli.errors import UsageError

Shortcut: TypeAlias = Literal["A", "B", "C"]
"""Sec. 3.3: A identity, zero-padded where channels grow; B a projection where shapes change; C a projection everywhere."""


MAX_DEPTH = 100_000  # a hundred times what anybody has trained; beyond it a mistyped number would fill the memory


@dataclass(frozen=True, kw_only=True)
class Stem:
    """The first convolution, with its BN and ReLU."""

    channels: int
    kernel: int
    stride: int


@dataclass(frozen=True, kw_only=True)
class Stage:
    """A row of Table 1: blocks on maps of one size. The first convolution of the first block has the stage's stride."""

    channels: int
    blocks: int
    stride: int


@dataclass(frozen=True, kw_only=True)
class NetworkSpec:
    """A network: stem, stages of basic blocks (two 3x3 convolutions, Fig. 5 left), global average pool, fc.

    `shortcut` is None for a plain net: the same layers without shortcuts. `input_size` and the sizes of all maps are in
    pixels, for square RGB images.
    """

    name: str
    input_size: int
    classes: int
    stem: Stem
    stages: tuple[Stage, ...]
    shortcut: Shortcut | None

    @property
    def plain(self) -> bool:
        """Whether this is a plain net, without shortcuts."""
        return self.shortcut is None

    @property
    def depth(self) -> int:
        """Number of weighted layers as the paper counts them: convolutions and fc, without projections."""
        return 1 + sum(2 * stage.blocks for stage in self.stages) + 1

    @property
    def features(self) -> int:
        """Number of channels that enter the fc layer."""
        return self.stages[-1].channels


def cifar_spec(depth: int, *, shortcut: Shortcut | None = "A", classes: int = 10) -> NetworkSpec:
    """The CIFAR nets of Sec. 4.2: 6n+2 layers, 2n on each of 32x32, 16x16 and 8x8 maps with 16, 32 and 64 filters.

    `shortcut=None` gives the plain net. Raises `UsageError` where `depth` is not 6n+2 with n >= 1.
    """
    if depth > MAX_DEPTH:
        raise UsageError(f"depth {depth} is more than {MAX_DEPTH:,} layers", "The paper goes to 1202.")
    n, rest = divmod(depth - 2, 6)
    if rest or n < 1:
        below, above = 6 * max(n, 1) + 2, 6 * max(n + 1, 1) + 2
        near = f"{below}" if below == above or depth < 8 else f"{below} and {above}"
        raise UsageError(
            f"depth {depth} is not 6n+2, as the paper's CIFAR nets are (Sec. 4.2)",
            f"The nearest: {near}. The paper trains 20, 32, 44, 56, 110 and 1202.",
        )
    return NetworkSpec(
        name=f"{'plain' if shortcut is None else 'resnet'}{depth}",
        input_size=32,
        classes=classes,
        stem=Stem(channels=16, kernel=3, stride=1),
        stages=(
            Stage(channels=16, blocks=n, stride=1),
            Stage(channels=32, blocks=n, stride=2),
            Stage(channels=64, blocks=n, stride=2),
        ),
        shortcut=shortcut,
    )


@dataclass(frozen=True, kw_only=True)
class Block:
    """One basic block. `size` is the side of its output map in pixels; `projection` says whether its shortcut has weights."""

    name: str
    in_channels: int
    channels: int
    stride: int
    size: int
    shortcut: Shortcut | None

    @property
    def reshapes(self) -> bool:
        """Whether the block changes the shape of its input, so that an identity shortcut does not fit."""
        return self.stride != 1 or self.in_channels != self.channels

    @property
    def projection(self) -> bool:
        """Whether the shortcut is a 1x1 convolution with BN."""
        return self.shortcut == "C" or (self.shortcut == "B" and self.reshapes)


def blocks(spec: NetworkSpec) -> Iterator[Block]:
    """The blocks of `spec` from input to output, named as everyone names them: `layer1.0`, `layer1.1`, ..."""
    channels = spec.stem.channels
    size = spec.input_size // spec.stem.stride
    for number, stage in enumerate(spec.stages, start=1):
        for index in range(stage.blocks):
            stride = stage.stride if index == 0 else 1
            size //= stride
            yield Block(
                name=f"layer{number}.{index}",
                in_channels=channels,
                channels=stage.channels,
                stride=stride,
                size=size,
                shortcut=spec.shortcut,
            )
            channels = stage.channels
