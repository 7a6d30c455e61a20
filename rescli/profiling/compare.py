"""Networks side by side, with the paper's figures: Fig. 3's claim, Table 1 and Table 6."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rescli.models.cifar import cifar_spec
from rescli.models.imagenet import BLOCKS, imagenet_spec
from rescli.models.names import title
from rescli.models.spec import Spec
from rescli.profiling.paper import TABLE6, Figure
from rescli.profiling.total import total


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One network. `share` is its multiply-adds over the first one's, in %."""

    title: str
    layers: int
    parameters: int
    macs: int
    activations: int
    share: float
    paper: Figure | None

    @property
    def deviation(self) -> float | None:
        """Of the exact count (multiply-adds, else parameters) from the paper's figure, in %."""
        for exact, printed in (
            (self.macs, self.paper and self.paper.macs),
            (self.parameters, self.paper and self.paper.parameters),
        ):
            if printed:
                return 100 * (exact / printed - 1)
        return None

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        paper = self.paper
        return {
            "network": self.title,
            "layers": self.layers,
            "parameters": self.parameters,
            "macs": self.macs,
            "activations": self.activations,
            "share_percent": self.share,
            "paper": paper
            and {"macs": paper.macs, "parameters": paper.parameters, "error": paper.error, "where": paper.where},
            "deviation_percent": self.deviation,
        }


def compare(specs: Iterable[Spec]) -> list[Compared]:
    """The networks in their order; shares are of the first one's multiply-adds."""
    totals = [total(spec) for spec in specs]
    return [
        Compared(
            title=title(one.spec),
            layers=one.spec.depth,
            parameters=one.parameters,
            macs=one.macs,
            activations=one.activations,
            share=100 * one.macs / totals[0].macs,
            paper=one.paper,
        )
        for one in totals
    ]


def table1() -> list[Compared]:
    """Table 1: 18 to 152 layers."""
    return compare(imagenet_spec(depth) for depth in BLOCKS)


def table6() -> list[Compared]:
    """Table 6: the residual nets on CIFAR-10."""
    return compare(cifar_spec(depth) for depth in TABLE6)
