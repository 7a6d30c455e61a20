"""The paper's own figures, as printed, to stand beside exact counts. No rule is tuned to match them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rescli.models.spec import NetworkSpec, Spec


@dataclass(frozen=True, kw_only=True)
class Figure:
    """What the paper prints of a network: multiply-adds (its "FLOPs"), parameters, error in %; None where it prints none."""

    macs: float | None = None
    parameters: float | None = None
    error: float | None = None
    where: str


TABLE1: Mapping[int, float] = {18: 1.8e9, 34: 3.6e9, 50: 3.8e9, 101: 7.6e9, 152: 11.3e9}
"""Layers: FLOPs. Those of 18 and 34 layers are the plain nets' and option A's; from 50 on option B, stride in the 1x1."""

VGG: Mapping[int, Figure] = {
    16: Figure(macs=15.3e9, where="Sec. 3.3 (convolutions alone)"),
    19: Figure(macs=19.6e9, where="Fig. 3"),
}

TABLE6: Mapping[int, tuple[float, float]] = {
    20: (0.27e6, 8.75),
    32: (0.46e6, 7.51),
    44: (0.66e6, 7.17),
    56: (0.85e6, 6.97),
    110: (1.7e6, 6.43),
    1202: (19.4e6, 7.93),
}
"""Layers: parameters, test error in % (110: the best of five; 6.61 +- 0.16)."""

OTHERS6: tuple[tuple[str, int | None, float | None, str], ...] = (
    ("Maxout", None, None, "9.38"),
    ("NIN", None, None, "8.81"),
    ("DSN", None, None, "8.22"),
    ("FitNet", 19, 2.5e6, "8.39"),
    ("Highway", 19, 2.3e6, "7.54 (7.72 +- 0.16)"),
    ("Highway", 32, 1.25e6, "8.80"),
)
"""What Table 6 quotes of others: method, layers, parameters, error in %."""


def figure(spec: Spec) -> Figure | None:
    """The paper's figures of exactly this network at the size it was tested; None where the paper has none."""
    if not isinstance(spec, NetworkSpec):
        return VGG[spec.depth] if (spec.input_size, spec.classes) == (224, 1000) else None
    if spec.stem.pool is None:
        return _table6(spec)
    if (spec.input_size, spec.classes) != (224, 1000):
        return None
    drawn = (spec.shortcut, spec.stride_in) == ("B", "1x1") if spec.bottleneck else spec.shortcut in (None, "A", "B")
    return Figure(macs=TABLE1[spec.depth], where="Table 1") if drawn else None


def _table6(spec: NetworkSpec) -> Figure | None:
    found = TABLE6.get(spec.depth)
    if found is None or spec.shortcut != "A" or (spec.input_size, spec.classes) != (32, 10):
        return None
    return Figure(parameters=found[0], error=found[1], where="Table 6")


def short(value: float) -> str:
    """As the paper prints it: 11.3e9, 1.7M."""
    return f"{value / 1e9:g}e9" if value >= 1e9 else f"{value / 1e6:g}M"
