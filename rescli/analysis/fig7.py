"""Fig. 7: standard deviations of layer responses, in layer order and sorted by magnitude."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rescli.analysis.plot import Line, Panel, Plot, distinct
from rescli.analysis.responses import Responses


def fig7(found: Sequence[Responses]) -> Plot:
    """As in Fig. 7: "Top: the layers are shown in their original order. Bottom: the responses are ranked in descending order".

    The sorted line of a net says which layer each point is.
    """
    names = distinct((one.label, one.what) for one in found)
    panels = []
    top = 1.05 * max(float(one.std.max()) for one in found)
    for name, label in (("layer order", "layer index (original)"), ("sorted", "layer index (sorted by magnitude)")):
        lines = []
        for group, one in zip(names, found, strict=True):
            order = np.arange(len(one.std)) if name == "layer order" else np.argsort(-one.std, kind="stable")
            lines.append(
                Line(
                    label=group,
                    group=group,
                    what="std of responses",
                    source=one.what,
                    x=np.arange(1, len(one.std) + 1),
                    y=one.std[order],
                    style="dashed" if one.label.startswith("plain") else "solid",
                    names=[one.layers[number].point.layer for number in order],
                )
            )
        deepest = max(len(one.std) for one in found)
        panels.append(
            Panel(
                name=name,
                x_label=label,
                y_label="std",
                lines=tuple(lines),
                x_limits=(0, deepest + 1),
                y_limits=(0.0, top),
            )
        )
    return Plot(panels=tuple(panels))
