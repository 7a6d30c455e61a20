"""`rescli analyze responses`: Fig. 7."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from rescli import console
from rescli.commands.analyze.measuring import Dataset, Seed, measured, wishes_of
from rescli.commands.analyze.output import (
    FONT_SIZE,
    SIZE,
    DataFile,
    FontSize,
    Nets,
    PlotFile,
    Size,
    Strict,
    check_files,
    write_plot,
)
from rescli.commands.formats import print_plot
from rescli.commands.networks import Layout, Net, Normalize, Padding, Pool, Shortcut, StrideIn
from rescli.commands.options import Backend, Debug, Json, Precision, Split, Threads, option, plain
from rescli.errors import RescliError

if TYPE_CHECKING:
    from rescli.analysis.collect import Skipped
    from rescli.analysis.plot import Plot
    from rescli.analysis.points import Point
    from rescli.analysis.responses import Responses


def responses(
    nets: Nets,
    plot: PlotFile = None,
    data: DataFile = None,
    size: Size = SIZE,
    font_size: FontSize = FONT_SIZE,
    split: Annotated[Split, option(help="Which images; val: those that the run held out.")] = Split.test,
    images: Annotated[int | None, option(min=1, help="How many of them.", default="all")] = None,
    dataset: Dataset = None,
    channels: Annotated[bool, option("--channels", help="Every channel's std, too.")] = False,
    save: Annotated[bool, option("--save", help="Keep the result in the run store; asked again, it is there.")] = False,
    again: Annotated[bool, option("--again", help="Measure even if the run store holds the result.")] = False,
    net: Net = None,
    shortcut: Shortcut = None,
    stride_in: StrideIn = None,
    padding: Padding = None,
    pool: Pool = None,
    normalize: Normalize = None,
    layout: Layout = None,
    seed: Seed = None,
    backend: Backend = "auto",
    precision: Annotated[Precision | None, option(help="Of the arithmetic.", default="fp32, the exact one")] = None,
    threads: Threads = None,
    strict: Strict = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Standard deviation of every 3x3 layer's output, after BN and before ReLU or addition (Fig. 7).

    Over all images, channels and positions, in one pass. 1x1 layers, projections and fc do not count.
    """
    check_files(plot, data, size, font_size)
    from rescli.analysis.fig7 import fig7
    from rescli.analysis.responses import responses as measure
    from rescli.analysis.responses import save as keep

    wishes = wishes_of(
        dataset,
        name=net,
        shortcut=shortcut,
        stride_in=stride_in,
        padding=padding,
        pool=pool,
        normalize=normalize,
        layout=plain(layout) or "auto",
        seed=seed,
        split=split,
        images=images,
        backend=backend,
        precision=precision,
        threads=threads,
    )

    unsaved: list[RescliError] = []

    def look(what: str) -> Responses:
        result = measure(what, wishes, reuse=not again)
        if save and not result.saved:
            try:
                keep(Path(what), result)
            except RescliError as error:  # what was measured is shown all the same
                unsaved.append(error)
        return result

    found, skipped = measured(nets, look, strict=strict)
    drawn = fig7(found)
    write_plot(drawn, plot, data, size, font_size)  # first: whoever reads may leave early, as `head` does
    _show(found, skipped, drawn, channels=channels, json=json)
    if unsaved:
        raise unsaved[0]


def _show(found: list[Responses], skipped: list[Skipped], drawn: Plot, *, channels: bool, json: bool) -> None:
    if json:
        console.emit(
            {
                "responses": [one.to_dict(channels=channels) for one in found],
                "skipped": [one.to_dict() for one in skipped],
            }
        )
        return
    for one in found if channels or len(found) == 1 else []:
        if len(found) > 1:
            console.say(f"{one.label}, {one.what}")
        _print_layers(one, channels)
    print_plot(drawn, panels=1 if len(found) == 1 else None)
    console.table(
        ["net", "layers", "median std", "smallest", "largest", "images", "run"],
        [
            (
                one.label,
                len(one.layers),
                *(f"{value:.4f}" for value in (one.median, one.std.min(), one.std.max())),
                f"{one.images:,}",
                one.what,
            )
            for one in found
        ],
        right=(1, 2, 3, 4, 5),
    )
    first = found[0]
    statistics = " or ".join(sorted({one.statistics for one in found}))
    taken = " (taken from the run store)" if all(one.saved for one in found) else ""
    console.say(f"{first.dataset} {first.split}, {first.precision}, BN by {statistics} statistics{taken}")


def _print_layers(found: Responses, channels: bool) -> None:
    rows = [
        (number, layer.point.layer, _shape(layer.point), f"{layer.std:.4f}", f"{layer.mean:+.4f}")
        for number, layer in enumerate(found.layers, start=1)
    ]
    console.table(["", "layer", "map", "std", "mean"], rows, right=(0, 3, 4))
    if channels:
        console.say("\nstd of each channel")
        for layer in found.layers:
            console.say(f"{layer.point.layer}: {' '.join(f'{value:.4f}' for value in layer.channel_std)}")
        console.say()


def _shape(point: Point) -> str:
    return f"{point.channels}x{point.size}x{point.size}"
