"""A table as lines of text: for a terminal, and as CSV, Markdown and LaTeX."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rescli.words import markdown_row

if TYPE_CHECKING:
    from rich.console import Console

UNLIMITED = 100_000
"""Columns of what is no screen."""
LEGIBLE = 12
"""Characters: text in narrower columns is no longer read."""
GAP = 2
"""Between columns on a terminal."""


def drawn(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], screen: Console, *, right: Sequence[int] = ()
) -> Iterator[str]:
    """As `screen` shows it. `right` are the numbers of the columns that are aligned to the right."""
    from rich import box
    from rich.table import Table

    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    least = sum(_least(column, [row[i] for row in cells], i in right) + GAP for i, column in enumerate(columns)) - GAP
    if least > screen.width:  # the terminal breaks its lines: numbers are never cut
        screen.width = UNLIMITED
    free = screen.width == UNLIMITED
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=not free)
    for number, column in enumerate(columns):
        if number in right:
            heading = column if free else _broken(column, [row[number] for row in cells])
            grid.add_column(heading, justify="right", no_wrap=True)
        else:
            grid.add_column(column, no_wrap=free, overflow="fold")
    for row in cells:
        grid.add_row(*row)
    with screen.capture() as shown:
        screen.print(grid)
    yield from (line.rstrip() for line in shown.get().splitlines())


def _least(heading: str, cells: Sequence[str], number: bool) -> int:
    """The least width of a column of numbers, or of text."""
    from rich.cells import cell_len

    if number:
        return max(map(cell_len, [*_broken(heading, cells).split("\n"), *cells]))
    return min(max((cell_len(word) for text in (heading, *cells) for word in text.split()), default=0), LEGIBLE)


def _broken(heading: str, cells: Sequence[str]) -> str:
    """The heading of a column of numbers in as many lines as keep it from being wider than they are."""
    width = max(map(len, [*heading.split(), *cells]), default=1)
    return textwrap.fill(heading, max(width, 1), break_long_words=False, break_on_hyphens=False)


def csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Iterator[str]:
    """As CSV: numbers as they are, nothing for None."""
    import csv as writer

    text = io.StringIO()
    lines = writer.writer(text, lineterminator="\n")
    lines.writerow(columns)
    lines.writerows(rows)
    yield text.getvalue().removesuffix("\n")


def markdown(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[int] = ()) -> Iterator[str]:
    """In Markdown; columns of numbers, and those in `right`, are aligned to the right."""
    cells = [tuple(rows_) for rows_ in rows]
    numeric = [
        i in right or (bool(cells) and all(isinstance(row[i], (int, float)) for row in cells))
        for i in range(len(columns))
    ]
    yield markdown_row(columns)
    yield "|" + "|".join("---:" if right else "---" for right in numeric) + "|"
    for row in cells:
        yield markdown_row("" if cell is None else f"{cell:,}" if type(cell) is int else str(cell) for cell in row)


_TEX = {
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
}


def latex(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[int] = (), notes: Sequence[str] = ()
) -> Iterator[str]:
    """For LaTeX (booktabs), with its notes as comments."""
    layout = "".join("r" if number in right else "l" for number in range(len(columns)))
    yield rf"\begin{{tabular}}{{{layout}}}"
    yield r"\toprule"
    yield " & ".join(tex(column) for column in columns) + r" \\"
    yield r"\midrule"
    for row in rows:
        yield " & ".join("" if cell is None else tex(str(cell)) for cell in row) + r" \\"
    yield r"\bottomrule"
    yield r"\end{tabular}"
    for line in notes:
        yield f"% {line}"


def tex(text: str) -> str:
    """Text as LaTeX prints it."""
    return "".join(_TEX.get(letter, letter) for letter in text.replace("\\", "/"))
