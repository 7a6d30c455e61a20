"""What the commands of `rescli analyze` share: their sources, their formats, and where figures go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rescli import console
from rescli.commands.options import option
from rescli.errors import UsageError

if TYPE_CHECKING:
    from rescli.analysis.collect import Collection, Refuse
    from rescli.analysis.plot import Plot
    from rescli.analysis.table import Table

Sources = Annotated[
    list[str],
    typer.Argument(metavar="RUNS...", help="Run stores, folders of them, or patterns.", show_default=False),
]
Tests = Annotated[
    list[str],
    typer.Argument(
        metavar="SOURCES...",
        help="Run stores, saved predictions (.h5), folders of them, or patterns.",
        show_default=False,
    ),
]
Nets = Annotated[
    list[str],
    typer.Argument(
        metavar="NETS...",
        help="Run stores, files of weights, folders, patterns; or a network's name, for its state at initialization.",
        show_default=False,
    ),
]
Strict = Annotated[bool, option("--strict", help="Fail where a file would be skipped.")]
PlotFile = Annotated[Path | None, option("--plot", help="Write the figure: .pdf, .svg or .png.", default="no file")]
DataFile = Annotated[
    Path | None, option("--data", help="Write the numbers that the figure shows: .csv or .json.", default="no file")
]
SIZE, FONT_SIZE = "column", 8.0
Size = Annotated[str, option(help="Of the figure: column (3.3 in), page (6.9 in), or WIDTHxHEIGHT in inches.")]
FontSize = Annotated[float, option(min=3, max=30, help="Of the figure, in points.")]
Latex = Annotated[bool, option("--latex", help="A LaTeX table (booktabs) on stdout.")]


def tell(skipped: Iterable[Any]) -> None:
    """Name the files that were left out, each with the reason, on stderr."""
    for one in skipped:
        console.note(f"Skipped {one.path}: {one.why}")


def gathered(
    sources: Sequence[str], *, strict: bool, predictions: bool = False, refuse: Refuse = lambda _: None
) -> Collection:
    """The runs in `sources`, with `predictions` saved scores too, less what `refuse` is against; what is skipped is told."""
    from rescli.analysis.collect import collect

    found = collect(sources, strict=strict, predictions=predictions, refuse=refuse)
    tell(found.skipped)
    return found


def check_files(plot_file: Path | None, data_file: Path | None, size: str, font_size: float) -> None:
    """Complain about files and sizes before any work is done. Raises `UsageError`."""
    from rescli.analysis.figures import Layout
    from rescli.profiling.figure_file import format_of
    from rescli.store.target import check_target

    Layout.of(size, font_size)
    if plot_file is None and (size, font_size) != (SIZE, FONT_SIZE):
        raise UsageError("--size and --font-size are about the figure's file", "Ask for it: --plot FILE.")
    if plot_file is not None:
        format_of(plot_file)
    if data_file is not None and data_file.suffix not in (".csv", ".json"):
        raise UsageError(
            f"{data_file}: {data_file.suffix or 'no ending'} is no format of data", "Known here: csv, json."
        )
    for option_, file in (("--plot", plot_file), ("--data", data_file)):
        if file is not None:
            check_target(file, option_)


def write_plot(plot: Plot, plot_file: Path | None, data_file: Path | None, size: str, font_size: float) -> None:
    """Write the figure and its numbers where the user wants them."""
    from rescli.analysis.figures import Layout, figure_bytes
    from rescli.profiling.figure_file import format_of
    from rescli.store.target import put

    if plot_file is not None:
        put(plot_file, figure_bytes(plot, format_of(plot_file), Layout.of(size, font_size)))
        console.note(f"Drawn in {plot_file}.")
    if data_file is not None:
        text = plot.as_csv() if data_file.suffix == ".csv" else plot.as_json() + "\n"
        put(data_file, text.encode())
        console.note(f"Written to {data_file}.")


def show_table(table: Table, document: Any, *, json: bool, csv: bool, markdown: bool, latex: bool) -> None:
    """The table as the user wants it: for people, or in one of the machine's formats."""
    if json + csv + markdown + latex > 1:
        raise UsageError("one format at a time", "Choose one of --json, --csv, --markdown and --latex.")
    if json:
        console.emit(document)
    elif csv:
        rows = table.flat or table.exact
        names = list(dict.fromkeys(name for row in rows for name in row))
        console.csv(names, [[_cell(row.get(name)) for name in names] for row in rows])
    elif latex:
        console.latex(table.columns, table.rows, right=table.right, notes=table.notes)
    elif markdown:
        console.markdown(table.columns, table.rows, right=table.right)
        if table.notes:
            console.say()
        for line in table.notes:
            console.say(f"- {line}")
    else:
        console.table(table.columns, table.rows, right=table.right)
        for line in table.notes:
            console.say(line)


def _cell(value: Any) -> Any:
    """One cell of CSV: lists and mappings as text."""
    if isinstance(value, (list, tuple)):
        return "; ".join(map(_words, value))
    return "; ".join(f"{key}: {_words(one)}" for key, one in value.items()) if isinstance(value, dict) else value


def _words(value: Any) -> str:
    """What stands within a list or a mapping. Of a fork the paper's side comes first: paper / ours."""
    if isinstance(value, (list, tuple)):
        return " / ".join(map(_words, value))
    if isinstance(value, dict):
        return ", ".join(f"{key} {_words(one)}" for key, one in value.items())
    return "" if value is None else str(value)
