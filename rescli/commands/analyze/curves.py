"""`rescli analyze curves`: Figs. 1, 4 and 6."""

from __future__ import annotations

from typing import Annotated

from rescli import console
from rescli.commands.analyze.output import (
    FONT_SIZE,
    SIZE,
    DataFile,
    FontSize,
    PlotFile,
    Size,
    Sources,
    Strict,
    check_files,
    gathered,
    write_plot,
)
from rescli.commands.formats import print_plot
from rescli.commands.options import Debug, Json, option
from rescli.errors import UsageError


def curves(
    runs: Sources,
    plot: PlotFile = None,
    data: DataFile = None,
    size: Size = SIZE,
    font_size: FontSize = FONT_SIZE,
    top: Annotated[
        float | None,
        option(
            metavar="%", min=0.1, max=100, help="Upper end of the error axis.", default="20 (ImageNet: 60), or more"
        ),
    ] = None,
    bottom: Annotated[
        float | None,
        option(metavar="%", min=0, max=99, help="Lower end of the error axis.", default="0 (ImageNet: 20, or 0)"),
    ] = None,
    strict: Strict = False,
    json: Json = False,
    debug: Debug = False,
) -> None:
    """Training error (dashed) and test error (bold), in %, against iterations: Figs. 1 and 6; of ImageNet nets Fig. 4."""
    check_files(plot, data, size, font_size)
    if top is not None and bottom is not None and top <= bottom:
        raise UsageError(f"--top {top:g} is not above --bottom {bottom:g}")
    from rescli.analysis.curves import curves as draw

    found = gathered(runs, strict=strict)
    drawn = draw(found.runs, bottom=bottom, top=top)
    write_plot(drawn, plot, data, size, font_size)
    if json:
        import json as writer

        console.emit({"panels": writer.loads(drawn.as_json()), "skipped": [one.to_dict() for one in found.skipped]})
        return
    print_plot(drawn)
    console.table(
        ["run", "net", "iteration", "training error", "test error"],
        [
            (
                run.path,
                run.label,
                f"{run.iteration:,}/{run.recipe.iterations:,}",
                console.percent(run.train_error),
                console.percent(run.error) + (" (val)" if run.tested == "val" else ""),
            )
            for run in found.runs
        ],
        right=(2, 3, 4),
    )
