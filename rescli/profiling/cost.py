"""What a spec costs: parameters, multiply-adds, memory. Read off the spec, without torch.

MACs are the multiply-adds of convolutions and fc weights, as in Table 1 (where the paper calls them FLOPs). Not counted:
BN, ReLU, pooling, shortcut additions and the fc bias.
"""

from __future__ import annotations

from dataclasses import dataclass

from rescli.models.layers import Layer, layers
from rescli.models.spec import NetworkSpec


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Exact counts for one image. `activations` is the number of values that convolutions and fc put out."""

    parameters: int
    macs: int
    activations: int


def macs(layer: Layer) -> int:
    """Multiply-adds of one layer for one image: each weight once per output position."""
    return layer.weights * layer.size * layer.size


def parameters(layer: Layer) -> int:
    """Weights, and the BN weight and bias behind a convolution or the bias of fc. Running statistics do not count."""
    return layer.weights + (layer.channels if layer.norm is None else 2 * layer.channels)


def cost(spec: NetworkSpec) -> Cost:
    """The totals over all layers of `spec`."""
    table = list(layers(spec))
    return Cost(
        parameters=sum(parameters(layer) for layer in table),
        macs=sum(macs(layer) for layer in table),
        activations=sum(layer.outputs for layer in table),
    )


def training_bytes(spec: NetworkSpec, *, batch: int, activation_bytes: int) -> int:
    """Memory for training with a batch of `batch` images, in bytes: an estimate from what autograd keeps.

    Weights, gradients and momentum are 4 bytes a parameter each. For the backward pass each convolution's output is
    kept (BN's input) and what ReLU makes of it (the next convolution's input), `activation_bytes` a value; three of the
    largest maps are at work at a time.
    """
    table = list(layers(spec))
    kept = 2 * sum(layer.outputs for layer in table)
    at_work = 3 * max(layer.outputs for layer in table)
    return 12 * cost(spec).parameters + batch * activation_bytes * (kept + at_work)
