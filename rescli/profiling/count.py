"""What one operator costs, and what is counted.

"conv" (the default) counts multiply-adds of convolutions and fc weights, as Table 1 does, where the paper calls them FLOPs.
"all" adds every other operator: a multiply-add for each value that BN scales and shifts; and single operations, which are one
addition, comparison or selection: one a value for ReLU, the shortcut's addition and a bias, one for each value that a pooling
window reads. In FLOPs a multiply-add is two, a single operation one.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from rescli.models.operators import Operator

Count: TypeAlias = Literal["conv", "all"]
Unit: TypeAlias = Literal["macs", "flops"]

NOT_COUNTED = {
    "conv": ("BN", "ReLU", "pooling", "shortcut additions", "bias additions", "softmax and loss"),
    "all": ("zero-padding and subsampling of option A", "dropout", "softmax and loss"),
}
"""By convention, in words."""


def macs(operator: Operator) -> int:
    """Multiply-adds of a convolution or fc layer for one image: each weight once per output position. 0 for all others."""
    return operator.weights * operator.size * operator.size


def bn_macs(operator: Operator) -> int:
    """Multiply-adds of BN at test time: scale and shift, one a value. 0 for all others."""
    return operator.outputs if operator.kind == "bn" else 0


def operations(operator: Operator) -> int:
    """Single additions and comparisons of ReLU, pooling and additions for one image; bias additions are apart."""
    if operator.kind in ("relu", "add"):
        return operator.outputs
    if operator.kind == "maxpool":
        # What the windows cover of the map, and what two of them read; a border is no value.
        covered = min(operator.in_size, (operator.size - 1) * operator.stride + operator.kernel)
        side = covered + (operator.size - 1) * (operator.kernel - operator.stride)
        return side * side * operator.channels
    if operator.kind == "avgpool":
        # Windows overlap where the map is no multiple of what it is averaged to: VGG at other sizes than 224.
        whole, parts = operator.in_size, operator.size
        read = sum(-(-(part + 1) * whole // parts) - part * whole // parts for part in range(parts))
        return read * read * operator.in_channels
    return 0


def bias_additions(operator: Operator) -> int:
    """Additions of a bias, one an output value."""
    return operator.outputs if operator.bias else 0
