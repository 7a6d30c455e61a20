"""The whole cost of a network in one unit, row by row, with what is not counted and the paper's figure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rescli.models.names import describe, title
from rescli.models.operators import WEIGHTED, operators
from rescli.models.spec import Spec
from rescli.profiling.count import NOT_COUNTED, Count, Unit, bias_additions, bn_macs, macs, operations
from rescli.profiling.paper import Figure, figure

UNITS: Mapping[tuple[Count, Unit], str] = {
    ("conv", "macs"): "multiply-adds",
    ("conv", "flops"): "FLOPs (2 a multiply-add)",
    ("all", "macs"): "operations (multiply-adds, and single additions and comparisons)",
    ("all", "flops"): "FLOPs (2 a multiply-add, 1 a single addition or comparison)",
}


@dataclass(frozen=True, kw_only=True)
class Total:
    """Exact counts of one image. `rows` maps what is counted to (multiply-adds, single operations)."""

    spec: Spec
    count: Count
    unit: Unit
    rows: Mapping[str, tuple[int, int]]
    parameters: int
    activations: int
    paper: Figure | None

    @property
    def macs(self) -> int:
        """Multiply-adds of convolutions and fc, as in Table 1."""
        return sum(self.rows[row][0] for row in ("convolutions", "fc"))

    @property
    def value(self) -> int:
        """The total in the unit asked for."""
        return sum(self.of(row) for row in self.rows)

    @property
    def deviation(self) -> float | None:
        """Of the exact multiply-adds from the figure that the paper prints, in %."""
        return None if self.paper is None or self.paper.macs is None else 100 * (self.macs / self.paper.macs - 1)

    def of(self, row: str) -> int:
        """A row in the unit asked for."""
        multiply_adds, single = self.rows[row]
        return (2 if self.unit == "flops" else 1) * multiply_adds + single

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        paper = self.paper
        return {
            **describe(self.spec),
            "title": title(self.spec),
            "count": self.count,
            "unit": UNITS[self.count, self.unit],
            "total": self.value,
            "macs": self.macs,
            "flops": 2 * self.macs,
            "parameters": self.parameters,
            "activations": self.activations,
            "counted": {row: self.of(row) for row in self.rows},
            "not_counted": list(NOT_COUNTED[self.count]),
            "paper": paper and {"macs": paper.macs, "parameters": paper.parameters, "where": paper.where},
            "deviation_percent": self.deviation,
        }


def total(spec: Spec, *, count: Count = "conv", unit: Unit = "macs") -> Total:
    """Count all of `spec`. Raises `UsageError` where its input is too small."""
    table = list(operators(spec))

    def both(*kinds: str) -> tuple[int, int]:
        chosen = [operator for operator in table if operator.kind in kinds]
        return sum(macs(o) + bn_macs(o) for o in chosen), sum(operations(o) for o in chosen)

    rows = {"convolutions": both("conv", "projection"), "fc": both("fc")}
    if count == "all":
        rows |= {
            "BN": both("bn"),
            "ReLU": both("relu"),
            "pooling": both("maxpool", "avgpool"),
            "shortcut additions": both("add"),
            "bias additions": (0, sum(bias_additions(operator) for operator in table)),
        }
    return Total(
        spec=spec,
        count=count,
        unit=unit,
        rows=rows,
        parameters=sum(operator.parameters for operator in table),
        activations=sum(operator.outputs for operator in table if operator.kind in WEIGHTED),
        paper=figure(spec),
    )
