"""The weighted layers of a network, in order, with their names and shapes. A reading of the spec, without torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from rescli.models.spec import Block, NetworkSpec, blocks


@dataclass(frozen=True, kw_only=True)
class Layer:
    """A convolution with the BN behind it, or the fc layer (kernel 1 on a 1x1 map).

    `name` is the module's name in the `nn.Module` and, with `.weight`, in a state_dict; `norm` that of its BN (None for
    fc). `size` is the side of the output map in pixels.
    """

    name: str
    norm: str | None
    kind: Literal["conv", "projection", "fc"]
    in_channels: int
    channels: int
    kernel: int
    stride: int
    size: int

    @property
    def weights(self) -> int:
        """Number of weights, without bias and BN."""
        return self.kernel * self.kernel * self.in_channels * self.channels

    @property
    def fan_in(self) -> int:
        """Inputs of one output unit, k*k*c_in: what the initialization of [12] depends on."""
        return self.kernel * self.kernel * self.in_channels

    @property
    def outputs(self) -> int:
        """Number of output values for one image."""
        return self.size * self.size * self.channels


def layers(spec: NetworkSpec) -> Iterator[Layer]:
    """The convolutions and the fc layer of `spec` from input to output; a projection follows its block's layers."""
    stem = spec.stem
    yield Layer(
        name="conv1",
        norm="bn1",
        kind="conv",
        in_channels=3,
        channels=stem.channels,
        kernel=stem.kernel,
        stride=stem.stride,
        size=spec.input_size // stem.stride,
    )
    for block in blocks(spec):
        yield from _block_layers(block)
    yield Layer(
        name="fc", norm=None, kind="fc", in_channels=spec.features, channels=spec.classes, kernel=1, stride=1, size=1
    )


def _block_layers(block: Block) -> Iterator[Layer]:
    for number in (1, 2):
        yield Layer(
            name=f"{block.name}.conv{number}",
            norm=f"{block.name}.bn{number}",
            kind="conv",
            in_channels=block.in_channels if number == 1 else block.channels,
            channels=block.channels,
            kernel=3,
            stride=block.stride if number == 1 else 1,
            size=block.size,
        )
    if block.projection:
        yield Layer(
            name=f"{block.name}.downsample.0",
            norm=f"{block.name}.downsample.1",
            kind="projection",
            in_channels=block.in_channels,
            channels=block.channels,
            kernel=1,
            stride=block.stride,
            size=block.size,
        )
