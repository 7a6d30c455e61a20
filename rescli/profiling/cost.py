"""What a spec costs in all: parameters, multiply-adds, activations. Read off its operators, without torch."""

from __future__ import annotations

from dataclasses import dataclass

from rescli.models.operators import WEIGHTED, operators
from rescli.models.spec import Spec
from rescli.profiling.count import macs


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Exact counts for one image, by Table 1's convention (see `rescli.profiling.count`).

    `activations` is the number of values that convolutions and fc put out.
    """

    parameters: int
    macs: int
    activations: int


def cost(spec: Spec) -> Cost:
    """The totals over all layers of `spec`. Raises `UsageError` where its input is too small."""
    table = list(operators(spec))
    return Cost(
        parameters=sum(operator.parameters for operator in table),
        macs=sum(macs(operator) for operator in table),
        activations=sum(operator.outputs for operator in table if operator.kind in WEIGHTED),
    )
