"""`rescli analyze gradients`: do they vanish?"""

from __future__ import annotations

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

if TYPE_CHECKING:
    from rescli.analysis.collect import Skipped
    from rescli.analysis.gradients import Gradients
    from rescli.analysis.plot import Plot


def gradients(
    nets: Nets,
    plot: PlotFile = None,
    data: DataFile = None,
    size: Size = SIZE,
    font_size: FontSize = FONT_SIZE,
    batches: Annotated[int, option(min=1, help="How many batches; their spread is shown.")] = 8,
    batch_size: Annotated[int, option(min=2, help="Images a batch.")] = 128,
    split: Annotated[Split, option(help="Which images; val: those that the run held out.")] = Split.train,
    dataset: Dataset = None,
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
    """Norm of the loss's gradient with respect to every layer's weights and response, and the response's variance.

    In training mode, on the batches that training sees first, without a step. Sec. 4.1: with BN neither forward nor
    backward signals vanish.
    """
    check_files(plot, data, size, font_size)
    from rescli.analysis.gradients import gradients as measure
    from rescli.analysis.gradients import gradients_plot

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
        backend=backend,
        precision=precision,
        threads=threads,
    )
    found, skipped = measured(
        nets, lambda what: measure(what, wishes, batches=batches, batch_size=batch_size), strict=strict
    )
    drawn = gradients_plot(found)
    write_plot(drawn, plot, data, size, font_size)  # first: whoever reads may leave early, as `head` does
    _show(found, skipped, drawn, json=json)


def _show(found: list[Gradients], skipped: list[Skipped], drawn: Plot, *, json: bool) -> None:
    from rescli.analysis.gradients import VANISHED, without_variance

    if json:
        console.emit({"gradients": [one.to_dict() for one in found], "skipped": [one.to_dict() for one in skipped]})
        return
    if len(found) == 1:
        console.table(
            ["layer", "gradient of weights", "std", "gradient of response", "std", "forward variance"],
            [
                (
                    row["layer"],
                    *(
                        f"{row[name][part]:.3e}"
                        for name in ("weight_gradient", "output_gradient")
                        for part in ("mean", "std")
                    ),
                    f"{row['forward_variance']:.4f}",
                )
                for row in (layer.to_dict() for layer in found[0].layers)
            ],
            right=(1, 2, 3, 4, 5),
        )
    else:
        print_plot(drawn)
    for one in found:
        name, ratio = one.smallest
        say = "healthy" if one.healthy else "vanishing"
        console.say(
            f"{one.label} ({one.what}): {say}; the smallest gradient of weights, of {name}, is {ratio:.3g} of the largest"
            f"{without_variance(one)}"
        )
    console.say(
        f"norms of the gradient of a batch's mean loss, {found[0].batches} batches of {found[0].batch_size}; "
        f"vanishing: below {VANISHED:g} of the largest"
    )
