"""What a spec takes in memory. An estimate, from what autograd keeps; without torch."""

from __future__ import annotations

from rescli.models.operators import layers
from rescli.models.spec import Spec
from rescli.profiling.cost import cost


def training_bytes(spec: Spec, *, batch: int, activation_bytes: int) -> int:
    """Memory for training with a batch of `batch` images, in bytes: an estimate from what autograd keeps.

    Weights, gradients and momentum are 4 bytes a parameter each. For the backward pass each convolution's output is
    kept (BN's input) and what ReLU makes of it (the next convolution's input), `activation_bytes` a value; three of the
    largest maps are at work at a time.
    """
    table = list(layers(spec))
    kept = 2 * sum(layer.outputs for layer in table)
    at_work = 3 * max(layer.outputs for layer in table)
    return 12 * cost(spec).parameters + batch * activation_bytes * (kept + at_work)
