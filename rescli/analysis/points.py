"""Where a network is measured: the layers of Fig. 7."""

from __future__ import annotations

from dataclasses import dataclass

from rescli.models.operators import WEIGHTED, operators
from rescli.models.spec import Spec


@dataclass(frozen=True, kw_only=True)
class Point:
    """A layer. `output` is the module whose output is its response: BN, or the layer itself where no BN follows."""

    layer: str
    output: str
    stage: str
    kind: str
    kernel: int
    channels: int
    size: int


def weighted(spec: Spec) -> tuple[Point, ...]:
    """Every layer with weights: convolutions, projections, fc; from input to output."""
    everything = list(operators(spec))
    return tuple(
        Point(
            layer=operator.name,
            output=after.name if after is not None and after.kind == "bn" else operator.name,
            stage=operator.stage,
            kind=operator.kind,
            kernel=operator.kernel,
            channels=operator.channels,
            size=operator.size,
        )
        for operator, after in zip(everything, [*everything[1:], None], strict=True)
        if operator.kind in WEIGHTED
    )


def points(spec: Spec) -> tuple[Point, ...]:
    """Every 3x3 layer from input to output; 19 of the 20-layer CIFAR net.

    Fig. 7: "the outputs of each 3x3 layer, after BN and before other nonlinearity (ReLU/addition)". 1x1 layers, projections,
    fc and the 7x7 layer of ImageNet nets are not among them.
    """
    return tuple(point for point in weighted(spec) if point.kind == "conv" and point.kernel == 3)
