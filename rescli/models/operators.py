"""The operators of a network in order, with names and shapes: a reading of the spec, without torch.

What a cost table counts, what a drawing shows and what initialization walks through are these. Names are those of the modules
in the `nn.Module` (and, with `.weight`, of a state_dict); additions and nonlinearities, which are no modules, have names alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from rescli.errors import UsageError
from rescli.models.spec import Block, NetworkSpec, Pool, Spec, VggSpec, blocks

Kind: TypeAlias = Literal["conv", "projection", "fc", "bn", "relu", "maxpool", "avgpool", "add", "pad", "dropout"]

WEIGHTED = ("conv", "projection", "fc")
VGG_MAP = 7  # side of the map that enters VGG's first fc layer


@dataclass(frozen=True, kw_only=True)
class Operator:
    """One operator for one image. Maps are `size` pixels high and wide; an fc layer has kernel 1 on a 1x1 map.

    `inputs` are the names of the operators it reads ("input" is the image). `stage` is conv1, layer1 (the paper's conv2_x),
    ..., fc; `block` is layer1.0, ..., or names a part outside the blocks. `pad` is option A's shortcut where the shape changes.
    """

    name: str
    kind: Kind
    stage: str
    block: str
    inputs: tuple[str, ...]
    in_channels: int
    channels: int
    kernel: int = 1
    stride: int = 1
    in_size: int
    size: int
    bias: bool = False

    @property
    def weights(self) -> int:
        """Number of weights, without biases and BN."""
        return self.fan_in * self.channels if self.kind in WEIGHTED else 0

    @property
    def parameters(self) -> int:
        """Weights and biases; of BN, weight and bias. Running statistics do not count."""
        return 2 * self.channels if self.kind == "bn" else self.weights + (self.channels if self.bias else 0)

    @property
    def fan_in(self) -> int:
        """Inputs of one output unit of a weighted layer, k*k*c_in: what the initialization of [12] depends on."""
        return self.kernel * self.kernel * self.in_channels

    @property
    def outputs(self) -> int:
        """Number of output values for one image."""
        return self.size * self.size * self.channels


def operators(spec: Spec) -> Iterator[Operator]:
    """From input to output; a projection follows its block's layers. Raises `UsageError` where the input is too small."""
    if spec.input_size < 1 or spec.classes < 1:
        raise UsageError(f"{spec.name} needs an input of at least 1 pixel and at least 1 class")
    maker = _Maker(spec.input_size)
    return maker.vgg(spec) if isinstance(spec, VggSpec) else maker.residual(spec)


def last_map(spec: Spec) -> int:
    """The side, in training, of the map that is averaged; of a VGG net, of the one after its last pooling."""
    *_, last = (operator for operator in operators(spec) if operator.kind in ("maxpool", "avgpool"))
    return last.in_size if last.kind == "avgpool" else last.size


def layers(spec: Spec) -> Iterator[Operator]:
    """The weighted layers alone: convolutions, projections and fc."""
    return (operator for operator in operators(spec) if operator.kind in WEIGHTED)


class _Maker:
    """Makes operators in turn; remembers what the next one reads."""

    def __init__(self, input_size: int) -> None:
        self.last = "input"
        self.channels = 3
        self.size = input_size
        self.stage = self.block = ""

    @property
    def at(self) -> tuple[str, int, int]:
        """The operator that the next one reads, its channels and size."""
        return self.last, self.channels, self.size

    @at.setter
    def at(self, place: tuple[str, int, int]) -> None:
        self.last, self.channels, self.size = place

    def residual(self, spec: NetworkSpec) -> Iterator[Operator]:
        stem = spec.stem
        self.stage = self.block = "conv1"
        yield self.conv("conv1", stem.kernel, stem.channels, stem.stride, bias=stem.bias)
        yield self.same("bn1", "bn")
        yield self.same("relu", "relu")
        if stem.pool:
            self.stage, self.block = "layer1", "maxpool"  # Table 1 has it in the first row of conv2_x
            yield self.pool("maxpool", 3, 2, pooled(self.size, stem.pool))
        for block in blocks(spec):
            self.stage, self.block = block.name.partition(".")[0], block.name
            yield from self.residual_block(block)
        self.stage, self.block = "fc", "avgpool"
        yield self.average(1)
        self.block = "fc"
        yield self.fc("fc", spec.classes)

    def residual_block(self, block: Block) -> Iterator[Operator]:
        entry = self.at
        convolutions = block.convolutions
        for number, (kernel, channels, stride) in enumerate(convolutions, start=1):
            yield self.conv(f"{block.name}.conv{number}", kernel, channels, stride)
            yield self.same(f"{block.name}.bn{number}", "bn")
            if number < len(convolutions):
                yield self.same(f"{block.name}.relu{number}", "relu")
        if block.shortcut is not None:
            end, self.at = self.at, entry
            if block.projection:
                yield self.conv(f"{block.name}.downsample.0", 1, block.channels, block.stride, kind="projection")
                yield self.same(f"{block.name}.downsample.1", "bn")
            elif block.reshapes:
                size = convolved(self.size, 1, block.stride)
                yield self.make(f"{block.name}.downsample", "pad", block.channels, size, 1, block.stride)
            shortcut, self.at = self.last, end
            yield self.same(f"{block.name}.add", "add", shortcut)
        yield self.same(f"{block.name}.relu{len(convolutions)}", "relu")

    def vgg(self, spec: VggSpec) -> Iterator[Operator]:
        index = 0
        for number, stage in enumerate(spec.stages, start=1):
            self.stage = self.block = f"conv{number}"
            for channels in stage:
                yield self.conv(f"features.{index}", 3, channels, 1, bias=True)
                yield self.same(f"features.{index + 1}", "relu")
                index += 2
            if self.size < 2:
                raise UsageError(
                    f"an input of {spec.input_size} pixels is too small for {spec.name}",
                    f"Its five poolings need at least {2 ** len(spec.stages)}.",
                )
            yield self.pool(f"features.{index}", 2, 2, self.size // 2)
            index += 1
        self.stage = self.block = "fc"
        if self.size != VGG_MAP:
            yield self.average(VGG_MAP)
        index = 0
        for channels in spec.hidden:
            yield self.fc(f"classifier.{index}", channels)
            yield self.same(f"classifier.{index + 1}", "relu")
            yield self.same(f"classifier.{index + 2}", "dropout")
            index += 3
        yield self.fc(f"classifier.{index}", spec.classes)

    def conv(
        self, name: str, kernel: int, channels: int, stride: int, *, bias: bool = False, kind: Kind = "conv"
    ) -> Operator:
        return self.make(name, kind, channels, convolved(self.size, kernel, stride), kernel, stride, bias=bias)

    def same(self, name: str, kind: Kind, *more: str) -> Operator:
        """An operator that keeps the shape; `more` are further inputs."""
        return self.make(name, kind, self.channels, self.size, more=more)

    def pool(self, name: str, kernel: int, stride: int, size: int) -> Operator:
        return self.make(name, "maxpool", self.channels, size, kernel, stride)

    def average(self, size: int) -> Operator:
        return self.make("avgpool", "avgpool", self.channels, size, kernel=-(-self.size // size))

    def fc(self, name: str, channels: int) -> Operator:
        self.channels, self.size = self.channels * self.size * self.size, 1
        return self.make(name, "fc", channels, 1, bias=True)

    def make(
        self,
        name: str,
        kind: Kind,
        channels: int,
        size: int,
        kernel: int = 1,
        stride: int = 1,
        *,
        bias: bool = False,
        more: tuple[str, ...] = (),
    ) -> Operator:
        made = Operator(
            name=name,
            kind=kind,
            stage=self.stage,
            block=self.block,
            inputs=(self.last, *more),
            in_channels=self.channels,
            channels=channels,
            kernel=kernel,
            stride=stride,
            in_size=self.size,
            size=size,
            bias=bias,
        )
        self.last, self.channels, self.size = name, channels, size
        return made


def convolved(size: int, kernel: int, stride: int) -> int:
    """Side of the map behind a convolution padded by half its kernel."""
    return (size + 2 * (kernel // 2) - kernel) // stride + 1


def pooled(size: int, pool: Pool) -> int:
    """Side of the map behind the 3x3/2 max pooling. Rounding up, every window begins within the map."""
    return convolved(size, 3, 2) if pool == "padded" else max(1, -(-(size - 3) // 2) + 1)
