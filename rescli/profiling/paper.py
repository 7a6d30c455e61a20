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
    16: Figure(macs=15.3e9, where="Sec. 4.1 (convolutions alone)"),
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
"""Layers: parameters, test error in % (110: the best of five)."""
MEAN_110 = 6.61
"""In %, of five runs; their standard deviation is 0.16."""

BEST_110 = "6.43 (6.61±0.16)"
"""As Table 6 prints the test error of 110 layers: the best of five runs (mean±std)."""

OTHERS6: tuple[tuple[str, int | None, float | None, str], ...] = (
    ("Maxout", None, None, "9.38"),
    ("NIN", None, None, "8.81"),
    ("DSN", None, None, "8.22"),
    ("FitNet", 19, 2.5e6, "8.39"),
    ("Highway", 19, 2.3e6, "7.54 (7.72±0.16)"),
    ("Highway", 32, 1.25e6, "8.80"),
)
"""What Table 6 quotes of others: method, layers, parameters, error in %."""


@dataclass(frozen=True, kw_only=True)
class Printed:
    """A row of Tables 2 to 5: a method and its errors in %, None where the paper prints none.

    `net` is what `rescli.models.names.label` calls it, None for the nets of others, which are not built here.
    """

    method: str
    net: str | None = None
    top1: float | None = None
    top5: float | None = None
    digits: int = 2
    """Behind the point, as printed."""

    def text(self, name: str) -> str:
        """The error called top1 or top5 as the paper prints it."""
        value: float | None = getattr(self, name)
        return "" if value is None else f"{value:.{self.digits}f}"


IMAGES, CLASSES = 50_000, 1000
"""Of ImageNet 2012's validation set, which Tables 2 to 4 are about."""

SCALES = (224, 256, 384, 480, 640)
"""Shorter sides in pixels of the images behind Tables 4 and 5 (Sec. 3.4)."""

TABLE2: tuple[Printed, ...] = (
    Printed(method="plain-18", net="plain-18", top1=27.94),
    Printed(method="ResNet-18", net="ResNet-18", top1=27.88),
    Printed(method="plain-34", net="plain-34", top1=28.54),
    Printed(method="ResNet-34", net="ResNet-34", top1=25.03),
)
"""10-crop testing on the validation set, shortcuts of option A."""

TABLE3: tuple[Printed, ...] = (
    Printed(method="VGG-16", net="VGG-16", top1=28.07, top5=9.33),
    Printed(method="GoogLeNet", top5=9.15),
    Printed(method="PReLU-net", top1=24.27, top5=7.38),
    Printed(method="plain-34", net="plain-34", top1=28.54, top5=10.02),
    Printed(method="ResNet-34 A", net="ResNet-34", top1=25.03, top5=7.76),
    Printed(method="ResNet-34 B", net="ResNet-34 (B)", top1=24.52, top5=7.46),
    Printed(method="ResNet-34 C", net="ResNet-34 (C)", top1=24.19, top5=7.40),
    Printed(method="ResNet-50", net="ResNet-50", top1=22.85, top5=6.71),
    Printed(method="ResNet-101", net="ResNet-101", top1=21.75, top5=6.05),
    Printed(method="ResNet-152", net="ResNet-152", top1=21.43, top5=5.71),
)
"""10-crop testing on the validation set."""

TABLE4: tuple[Printed, ...] = (
    Printed(method="VGG (ILSVRC'14), on the test set", top5=8.43),
    Printed(method="GoogLeNet (ILSVRC'14)", top5=7.89),
    Printed(method="VGG (v5)", top1=24.4, top5=7.1, digits=1),
    Printed(method="PReLU-net", top1=21.59, top5=5.71),
    Printed(method="BN-inception", top1=21.99, top5=5.81),
    Printed(method="ResNet-34 B", net="ResNet-34 (B)", top1=21.84, top5=5.71),
    Printed(method="ResNet-34 C", net="ResNet-34 (C)", top1=21.53, top5=5.60),
    Printed(method="ResNet-50", net="ResNet-50", top1=20.74, top5=5.25),
    Printed(method="ResNet-101", net="ResNet-101", top1=19.87, top5=4.60),
    Printed(method="ResNet-152", net="ResNet-152", top1=19.38, top5=4.49),
)
"""Single models on the validation set, whole images at several scales."""

TABLE5: tuple[Printed, ...] = (
    Printed(method="VGG (ILSVRC'14)", top5=7.32),
    Printed(method="GoogLeNet (ILSVRC'14)", top5=6.66),
    Printed(method="VGG (v5)", top5=6.8, digits=1),
    Printed(method="PReLU-net", top5=4.94),
    Printed(method="BN-inception", top5=4.82),
    Printed(method="ResNet (ILSVRC'15)", top5=3.57),
)
"""Ensembles on the test set. ResNet's is of six models of different depths."""

MEMBERS = 6
"""Networks in the paper's ensemble."""


def figure(spec: Spec) -> Figure | None:
    """The paper's figures of exactly this network at the size it was tested; None where the paper has none."""
    if not isinstance(spec, NetworkSpec):
        return VGG[spec.depth] if (spec.input_size, spec.classes) == (224, 1000) else None
    if not spec.for_photographs:
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
