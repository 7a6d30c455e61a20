"""How results are printed, defined once: tables for people, JSON, CSV, Markdown; verdicts and plots for people."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from rescli import console
from rescli.commands.options import option
from rescli.errors import UsageError

if TYPE_CHECKING:
    from rescli.analysis.plot import Plot
    from rescli.analysis.verdict import Verdict

Csv = Annotated[bool, option("--csv", help="CSV on stdout, exact numbers.")]
Markdown = Annotated[bool, option("--markdown", help="A Markdown table on stdout.")]


def show(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    document: Any,
    *,
    json: bool,
    csv: bool,
    markdown: bool,
    printed: Sequence[Sequence[Any]] | None = None,
    right: Sequence[int] = (),
) -> bool:
    """Print the table, or its JSON document, in the machine's format asked for; False if none was.

    `printed` are the rows as people read them, with the columns in `right` aligned: Markdown is for people, too.
    Raises `UsageError` for more than one format.
    """
    if json + csv + markdown > 1:
        raise UsageError("one format at a time", "Choose one of --json, --csv and --markdown.")
    if json:
        console.emit(document)
    elif csv:
        console.csv(columns, rows)
    elif markdown:
        console.markdown(columns, rows if printed is None else printed, right=right)
    return json or csv or markdown


def say_verdicts(verdicts: Iterable[Verdict]) -> None:
    """Each claim with its answer, the numbers it comes from, and what speaks against taking it as said."""
    for verdict in verdicts:
        console.say(f"\n{verdict.claim} ({verdict.where}): {verdict.answer}")
        for line in verdict.numbers:
            console.say(f"  {line}")
        for line in verdict.caveats:
            console.say(f"  but: {line}")


def print_plot(plot: Plot, *, panels: int | None = None) -> None:
    """The figure in characters."""
    from rescli.console.sketch import Stroke, sketch

    for panel in plot.panels[:panels]:
        strokes = [Stroke(line.label, (line.x / panel.unit).tolist(), line.y.tolist()) for line in panel.lines]
        limits = panel.x_limits and (panel.x_limits[0] / panel.unit, panel.x_limits[1] / panel.unit)
        console.say(
            sketch(
                strokes,
                x_label=panel.x_label,
                y_label=panel.y_label,
                x_limits=limits,
                y_limits=panel.y_limits,
                log=panel.log,
            )
        )
