"""`rescli flops`: the cost of a network of the paper in one line, at once."""

from __future__ import annotations

from enum import Enum
from typing import Annotated, Any

from rescli import console
from rescli.commands.formats import Csv, Markdown, show
from rescli.commands.networks import Classes, Input, Name, Padding, Pool, Shortcut, StrideIn, spec_of
from rescli.commands.options import Debug, Json, option
from rescli.models.names import title
from rescli.profiling.count import NOT_COUNTED
from rescli.profiling.paper import short
from rescli.profiling.total import UNITS, Total, total


class CountOption(str, Enum):
    """What is counted."""

    conv = "conv"
    all = "all"


class UnitOption(str, Enum):
    """In what."""

    macs = "macs"
    flops = "flops"


Count = Annotated[
    CountOption, option(help="conv: convolutions and fc, as Table 1; all: BN, ReLU, pooling, additions and biases too.")
]
Unit = Annotated[UnitOption, option(help="Multiply-adds, or FLOPs: 2 a multiply-add.")]


def flops(
    name: Name,
    shortcut: Shortcut = None,
    stride_in: StrideIn = None,
    padding: Padding = None,
    pool: Pool = None,
    classes: Classes = None,
    input_size: Input = None,
    count: Count = CountOption.conv,
    unit: Unit = UnitOption.macs,
    json: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    debug: Debug = False,
) -> None:
    """Multiply-adds and parameters of one image, exact, with the paper's figure. Imports no torch and answers at once."""
    spec = spec_of(
        name,
        shortcut=shortcut,
        stride_in=stride_in,
        padding=padding,
        pool=pool,
        classes=classes,
        input_size=input_size,
    )
    found = total(spec, count=count.value, unit=unit.value)
    rows: list[tuple[Any, ...]] = [(row, found.of(row)) for row in found.rows]
    columns = ("counted", UNITS[found.count, found.unit])
    if show(columns, [*rows, ("total", found.value)], found.to_dict(), json=json, csv=csv, markdown=markdown):
        return
    console.say(_line(found))
    console.say(f"{title(spec)}, {spec.input_size}x{spec.input_size}, {spec.classes} classes")
    if found.count == "all":
        for row, value in rows:
            console.say(f"  {row:<20} {value:>18,}")
    console.say(f"counted: {', '.join(found.rows)}; not counted: {', '.join(NOT_COUNTED[found.count])}")


def _line(found: Total) -> str:
    parts = [f"{found.value:,} {UNITS[found.count, found.unit]}", f"{found.parameters:,} parameters"]
    paper = found.paper
    if paper is not None and paper.macs is not None:
        # The paper's FLOPs are multiply-adds of convolutions and fc: beside another count they must be called so.
        unit = "" if (found.count, found.unit) == ("conv", "macs") else " multiply-adds"
        parts.append(f"paper: {short(paper.macs)}{unit}")
    elif paper is not None and paper.parameters is not None:
        parts.append(f"paper: {short(paper.parameters)} parameters")
    return " · ".join(parts)
