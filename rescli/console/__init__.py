"""stdout is for data (tables, JSON, CSV), stderr is for people (progress, notes, errors)."""

from __future__ import annotations

import io
import itertools
import json
import math
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rescli.errors import RescliError
from rescli.words import duration as duration

if TYPE_CHECKING:
    from rich.console import Console


@dataclass
class Settings:
    """What the options `--json` and `--debug` of the running command said."""

    json: bool = False
    debug: bool = False
    emitted: bool = False
    """Whether the one JSON document is out already."""

    rank: int = 0
    """Which process of its job this is: only the first one talks."""

    def begin(self, arguments: Sequence[str]) -> None:
        """Start a command. Its words are looked at before they are understood, so that a mistyped line, too, is obeyed."""
        words = set(itertools.takewhile(lambda word: word != "--", arguments))
        self.json, self.debug, self.emitted = "--json" in words, "--debug" in words, False
        self.rank = _rank(arguments)


def _rank(arguments: Sequence[str]) -> int:
    """Only processes that train together are told apart; every other command is by itself, whatever job it is part of."""
    together = next(iter(arguments), "") == "train" and os.environ.get("WORLD_SIZE", "1") != "1"
    rank = os.environ.get("RANK", "")
    return int(rank) if together and rank.isdecimal() else 0


settings = Settings()


def emit(document: Any) -> None:
    """The one JSON document of a command."""
    settings.emitted = True
    say(dumps(document))


def dumps(document: Any) -> str:
    """As JSON text, for people too. JSON has no NaN and no infinity: null stands for them."""
    return json.dumps(_finite(document), indent=2, default=str, allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def note(text: str) -> None:
    """A line for people, on stderr."""
    if settings.rank == 0:
        _tell(text)


def _tell(text: str) -> None:
    """A log on a full disk, or a terminal that is gone: what nobody can read must not change what happens."""
    with suppress(OSError, ValueError):
        print(text, file=sys.stderr, flush=True)  # noqa: T201


def fail(error: RescliError) -> None:
    """What was wrong, where, and what to do next; with `--json` the same as a document on stdout."""
    if settings.json and not settings.emitted:
        with suppress(OSError, ValueError):
            emit({"error": error.message, "hint": error.hint, "exit_code": error.exit_code})
    who = f"process {settings.rank}: " if settings.rank else ""
    lines = [f"{error.label}: {who}{error.message}", *([error.hint] if error.hint else [])]
    _tell("\n".join(lines))


def say(text: str = "") -> None:
    """A line of the command's result, on stdout."""
    if settings.rank == 0:
        print(text, flush=True)  # noqa: T201


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[int] = ()) -> None:
    """A table on stdout. `right` are the numbers of the columns that are aligned to the right."""
    from rich import box
    from rich.table import Table

    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    screen = _stdout()
    least = sum(_least(column, [row[i] for row in cells], i in right) + GAP for i, column in enumerate(columns)) - GAP
    if least > screen.width:  # the terminal breaks its lines: numbers are never cut
        screen.width = UNLIMITED
    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, collapse_padding=screen.width < UNLIMITED)
    for number, column in enumerate(columns):
        if number in right:
            heading = column if screen.width == UNLIMITED else _broken(column, [row[number] for row in cells])
            grid.add_column(heading, justify="right", no_wrap=True)
        else:
            grid.add_column(column, no_wrap=screen.width == UNLIMITED, overflow="fold")
    for row in cells:
        grid.add_row(*row)
    with screen.capture() as drawn:
        screen.print(grid)
    for line in drawn.get().splitlines():
        say(line.rstrip())


UNLIMITED = 100_000
LEGIBLE = 12
"""Characters: text in narrower columns is no longer read."""
GAP = 2
"""Between columns on a terminal."""


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


def csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table as CSV on stdout: numbers as they are, nothing for None."""
    import csv as writer

    text = io.StringIO()
    lines = writer.writer(text, lineterminator="\n")
    lines.writerow(columns)
    lines.writerows(rows)
    say(text.getvalue().removesuffix("\n"))


def markdown(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[int] = ()) -> None:
    """A table in Markdown on stdout; columns of numbers, and those in `right`, are aligned to the right."""
    cells = [tuple(rows_) for rows_ in rows]
    numeric = [
        i in right or (bool(cells) and all(isinstance(row[i], (int, float)) for row in cells))
        for i in range(len(columns))
    ]
    say(_markdown_row(columns))
    say("|" + "|".join("---:" if right else "---" for right in numeric) + "|")
    for row in cells:
        say(_markdown_row("" if cell is None else f"{cell:,}" if type(cell) is int else str(cell) for cell in row))


def _markdown_row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


_TEX = {
    "&": r"\&",
    "%": r"\%",
    "#": r"\#",
    "_": r"\_",
    "$": r"\$",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "±": r"$\pm$",
}


def latex(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[int] = (), notes: Sequence[str] = ()
) -> None:
    """A table for LaTeX (booktabs) on stdout, with its notes as comments."""
    layout = "".join("r" if number in right else "l" for number in range(len(columns)))
    say(rf"\begin{{tabular}}{{{layout}}}")
    say(r"\toprule")
    say(" & ".join(tex(column) for column in columns) + r" \\")
    say(r"\midrule")
    for row in rows:
        say(" & ".join("" if cell is None else tex(str(cell)) for cell in row) + r" \\")
    say(r"\bottomrule")
    say(r"\end{tabular}")
    for line in notes:
        say(f"% {line}")


def tex(text: str) -> str:
    """Text as LaTeX prints it."""
    return "".join(_TEX.get(letter, letter) for letter in text.replace("\\", "/"))


def pairs(values: Mapping[str, Any]) -> None:
    """Names and values, one pair a line, on stdout."""
    width = max((len(name) for name in values), default=0)
    for name, value in values.items():
        say(f"{name:<{width}}  {value}")


def percent(value: float | None) -> str:
    """An error as the paper prints it, with its unit."""
    return "" if value is None else f"{value:.2f} %"


def on_terminal() -> bool:
    """Whether stdout is one."""
    return sys.stdout.isatty()


def clear() -> None:
    """Empty the terminal; nothing where there is none."""
    if on_terminal():
        _stdout().clear()


def _stdout() -> Console:
    from rich.console import Console

    # In a file or pipe a table is as wide as it needs to be: nothing is cut off for a screen that is not there.
    return Console(width=None if on_terminal() else UNLIMITED, highlight=False, emoji=False, markup=False)
