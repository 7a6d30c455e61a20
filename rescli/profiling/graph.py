"""Fig. 3 for any network: what is drawn, as plain data. No torch, no numpy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from rescli.models.operators import WEIGHTED, Operator, operators
from rescli.models.spec import Spec

FOLD_FROM = 8  # blocks of one stage; more equal ones in a row than are drawn become one line


@dataclass(frozen=True, kw_only=True)
class Box:
    """A layer. `stage` counts from 0 and chooses the colour; `size` is the side of its output map, shown where it changes."""

    label: str
    stage: int
    size: int
    folded: int = 0
    """Layers that this box stands for in place of one of its own: "... 196 more blocks"."""


@dataclass(frozen=True, kw_only=True)
class Arc:
    """A shortcut from in front of box `first` to behind box `last`. Dotted ones change the shape, as in Fig. 3."""

    first: int
    last: int
    dotted: bool
    label: str


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Boxes from input to output, and the shortcuts beside them."""

    boxes: tuple[Box, ...]
    arcs: tuple[Arc, ...]


def graph(spec: Spec) -> Graph:
    """What to draw of `spec`. Raises `UsageError` where its input is too small."""
    boxes: list[Box] = []
    arcs: list[Arc] = []
    for number, (_, stage) in enumerate(groupby(operators(spec), key=lambda operator: operator.stage)):
        parts = [list(part) for _, part in groupby(stage, key=lambda operator: operator.block)]
        for part, hidden in _folded(parts):
            if hidden:
                layers = sum(operator.kind in WEIGHTED and operator.kind != "projection" for operator in part)
                boxes.append(
                    Box(label=f"{hidden} more blocks", stage=number, size=part[-1].size, folded=hidden * layers)
                )
                arcs.extend(
                    replace(arc, label=f"each {arc.label}".strip())
                    for arc in _arc(part, len(boxes) - 1, len(boxes) - 1)
                )
                continue
            first = len(boxes)
            boxes.extend(Box(label=label, stage=number, size=size) for label, size in _labels(part))
            arcs.extend(_arc(part, first, len(boxes) - 1))
    return Graph(boxes=tuple(boxes), arcs=tuple(arcs))


def _folded(parts: list[list[Operator]]) -> Iterator[tuple[list[Operator], int]]:
    """The parts of a stage; of many equal blocks the first three and the last, and between them how many are left out."""
    if len(parts) <= FOLD_FROM:
        yield from ((part, 0) for part in parts)
        return
    yield from ((part, 0) for part in parts[:3])
    yield parts[3], len(parts) - 4
    yield parts[-1], 0


def _labels(part: list[Operator]) -> Iterator[tuple[str, int]]:
    for operator in part:
        stride = f", /{operator.stride}" if operator.stride > 1 else ""
        if operator.kind == "conv":
            yield f"{operator.kernel}x{operator.kernel} conv, {operator.channels}{stride}", operator.size
        elif operator.kind == "maxpool":
            yield f"pool{stride}", operator.size
        elif operator.kind == "avgpool":
            yield "avg pool", operator.size
        elif operator.kind == "fc":
            yield f"fc {operator.channels}", operator.size


def _arc(part: list[Operator], first: int, last: int) -> Iterator[Arc]:
    if not any(operator.kind == "add" for operator in part):
        return
    for operator in part:
        if operator.kind == "projection":
            stride = f", /{operator.stride}" if operator.stride > 1 else ""
            changes = operator.stride > 1 or operator.in_channels != operator.channels
            yield Arc(first=first, last=last, dotted=changes, label=f"1x1, {operator.channels}{stride}")
            return
        if operator.kind == "pad":
            yield Arc(first=first, last=last, dotted=True, label=f"pad to {operator.channels}, /{operator.stride}")
            return
    yield Arc(first=first, last=last, dotted=False, label="")
