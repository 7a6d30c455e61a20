"""`rescli profile`: where a network's cost lies, and networks side by side."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Annotated, Any

import typer

from rescli import console
from rescli.commands.flops import Count, CountOption
from rescli.commands.formats import Csv, Markdown, show
from rescli.commands.groups import with_default
from rescli.commands.memory import print_memory
from rescli.commands.networks import (
    Classes,
    Input,
    Padding,
    Pool,
    Shortcut,
    StrideIn,
    complete_network,
    spec_of,
)
from rescli.commands.options import Debug, Json, option, plain
from rescli.commands.traced import print_traced
from rescli.errors import UsageError
from rescli.models.names import describe, title
from rescli.profiling.compare import Compared, compare, table1, table6
from rescli.profiling.count import NOT_COUNTED
from rescli.profiling.paper import BEST_110, OTHERS6, TABLE6, short
from rescli.profiling.profile import Row, ordered, rows_of, total_of, tree_of

app = typer.Typer(
    cls=with_default("net", complete_network),  # rescli profile resnet34
    short_help="Show where a network's cost lies; compare networks.",
    no_args_is_help=True,
)


class ByOption(str, Enum):
    """What a row is."""

    layer = "layer"
    block = "block"
    stage = "stage"
    operator = "operator"


class SortOption(str, Enum):
    """What comes first."""

    macs = "macs"
    parameters = "parameters"
    activations = "activations"
    name = "name"


@app.callback()
def profile() -> None:
    """Show where a network's cost lies: `rescli profile resnet34 --by block`. Or compare networks."""


@app.command(short_help="One network, row by row; `net` may be left out.")
def net(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NET",
            help="A network's name; or any module: torchvision:resnet50, my_pkg.nets:make_net.",
            show_default=False,
            autocompletion=complete_network,
        ),
    ],
    by: Annotated[ByOption | None, option(help="A row for each of these.", default="stage")] = None,
    depth: Annotated[
        int | None, option(min=0, max=3, help="A tree: 0 the net, 1 its stages, 2 blocks, 3 layers.", default="no tree")
    ] = None,
    sort: Annotated[SortOption | None, option(help="The largest first.", default="from input to output")] = None,
    batch: Annotated[int, option(min=1, help="Images.")] = 1,
    count: Count = CountOption.conv,
    memory: Annotated[bool, option("--memory", help="What training and inference on --batch images take.")] = False,
    card: Annotated[
        float | None,
        option(metavar="GIB", min=0.1, help="With --memory: whether it fits on a card of so many GiB.", default="all"),
    ] = None,
    shortcut: Shortcut = None,
    stride_in: StrideIn = None,
    padding: Padding = None,
    pool: Pool = None,
    classes: Classes = None,
    input_size: Input = None,
    json: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    debug: Debug = False,
) -> None:
    """Parameters, multiply-adds and activations of a network by stage, block, layer or kind of operator."""
    if depth is not None and (by or sort):
        raise UsageError(
            "--depth draws a tree, which has its own rows and order", "Leave --by and --sort out, or --depth."
        )
    forks = {"shortcut": shortcut, "stride_in": stride_in, "padding": padding, "pool": pool}
    if ":" in name:
        if depth is not None or memory or card or count is CountOption.all or classes or any(forks.values()):
            raise UsageError(
                f"{name} is counted by tracing: it has no forks, no tree and no prediction of memory",
                "Only --by layer or operator, --sort, --batch, --input and the formats go with it.",
            )
        print_traced(name, plain(by), plain(sort), batch, input_size or 224, json=json, csv=csv, markdown=markdown)
        return
    spec = spec_of(name, **forks, classes=classes, input_size=input_size)
    if card is not None and not memory:
        raise UsageError("--card is about memory", "Ask for it: --memory.")
    if memory:
        if depth is not None or by or sort or count is CountOption.all:
            raise UsageError("--memory has its own rows", "Leave --by, --depth, --sort and --count out.")
        print_memory(spec, batch, card, json=json, csv=csv, markdown=markdown)
        return
    if depth is None:
        rows = rows_of(spec, by=plain(by) or "stage", count=count.value, batch=batch)
        whole = total_of(rows)
        rows = ordered(rows, plain(sort)) if sort else rows
    else:
        rows = tree_of(spec, depth=depth, count=count.value, batch=batch)
        whole = rows[0]
    everything = count is CountOption.all
    document = {
        **describe(spec),
        "title": title(spec),
        "batch": batch,
        "count": count.value,
        "not_counted": list(NOT_COUNTED[count.value]),
        "rows": [{**row.to_dict(), "level": row.level} for row in rows],
        "total": {key: value for key, value in whole.to_dict().items() if key not in ("name", "output")},
    }
    columns = ["name", "output", "parameters", "multiply-adds", "activations"]
    columns += ["single operations"] if everything else []
    exact = [_cells(row, everything) for row in (rows if depth is not None else [*rows, whole])]
    if show(columns, exact, document, json=json, csv=csv, markdown=markdown):
        return
    console.say(
        f"{title(spec)}, {spec.input_size}x{spec.input_size}, " + ("1 image" if batch == 1 else f"{batch} images")
    )
    shown = [
        (
            "  " * row.level + row.name,
            row.output,
            *(f"{value:,}" for value in _cells(row, everything)[2:]),
            f"{100 * row.macs / whole.macs:.2f}" if whole.macs else "",
        )
        for row in (rows if depth is not None else [*rows, whole])
    ]
    console.table([*columns, "% of multiply-adds"], shown, right=range(1, len(columns) + 1))
    console.say(f"not counted: {', '.join(NOT_COUNTED[count.value])}")


def _cells(row: Row, everything: bool) -> tuple[Any, ...]:
    cells = (row.name, row.output, row.parameters, row.macs, row.activations)
    return (*cells, row.operations) if everything else cells


@app.command("compare", short_help="Networks side by side, with the paper's figures.")
def compare_(
    nets: Annotated[
        list[str],
        typer.Argument(
            metavar="NET...",
            help="Two networks or more; options go with names: resnet34-c, resnet50-v1.5.",
            show_default=False,
            autocompletion=complete_network,
        ),
    ],
    json: Json = False,
    csv: Csv = False,
    markdown: Markdown = False,
    debug: Debug = False,
) -> None:
    """Exact counts beside the paper's. Sec. 3.3: plain-34 has 18 % of VGG-19's multiply-adds."""
    _print(compare(spec_of(one) for one in nets), "of the first", json=json, csv=csv, markdown=markdown)


@app.command("table1", short_help="Table 1 with exact counts.")
def table1_(json: Json = False, csv: Csv = False, markdown: Markdown = False, debug: Debug = False) -> None:
    """Table 1's ImageNet nets: exact counts beside the FLOPs that the paper prints."""
    _print(table1(), "of 18 layers", json=json, csv=csv, markdown=markdown)


@app.command("table6", short_help="Table 6 with exact counts.")
def table6_(json: Json = False, csv: Csv = False, markdown: Markdown = False, debug: Debug = False) -> None:
    """Table 6's CIFAR nets: exact counts beside the paper's parameters and errors, and the methods that it quotes."""
    found = table6()
    columns = ("method", "layers", "parameters", "paper's parameters", "paper's error (%)", "multiply-adds")
    quoted: list[tuple[Any, ...]] = [(name, depth, None, params, error, None) for name, depth, params, error in OTHERS6]
    best = {110: BEST_110}
    ours = [
        (
            "ResNet",
            one.layers,
            one.parameters,
            TABLE6[one.layers][0],
            best.get(one.layers, f"{TABLE6[one.layers][1]:.2f}"),
            one.macs,
        )
        for one in found
    ]
    document = {
        "networks": [one.to_dict() for one in found],
        "quoted": [dict(zip(columns, row, strict=True)) for row in quoted],
    }
    exact, right = [*quoted, *ours], range(1, 6)
    rows = [
        (name, depth, params and f"{params:,}", printed and short(printed), error, count and f"{count:,}")
        for name, depth, params, printed, error, count in exact
    ]
    if not show(columns, exact, document, json=json, csv=csv, markdown=markdown, printed=rows, right=right):
        console.table(columns, rows, right=right)


def _print(found: Sequence[Compared], share: str, *, json: bool, csv: bool, markdown: bool) -> None:
    columns = ("network", "layers", "parameters", "multiply-adds", f"% {share}", "paper's FLOPs", "deviation in %")
    exact = [
        (one.title, one.layers, one.parameters, one.macs, one.share, one.paper and one.paper.macs, one.deviation)
        for one in found
    ]
    rows = [
        (
            one.title,
            one.layers,
            f"{one.parameters:,}",
            f"{one.macs:,}",
            f"{one.share:.1f}",
            _paper(one),
            "" if one.deviation is None else f"{one.deviation:+.1f}",
        )
        for one in found
    ]
    document, right = [one.to_dict() for one in found], range(1, 7)
    if show(columns, exact, document, json=json, csv=csv, markdown=markdown, printed=rows, right=right):
        return
    console.table(columns, rows, right=right)
    console.say(f"counted: convolutions and fc; not counted: {', '.join(NOT_COUNTED['conv'])}")


def _paper(one: Compared) -> str:
    if one.paper is None:
        return ""
    return short(one.paper.macs) if one.paper.macs else f"{short(one.paper.parameters or 0)} parameters"
