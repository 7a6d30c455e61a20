"""stdout is for data (tables, JSON, CSV), stderr is for people (progress, notes, errors)."""

from __future__ import annotations

import itertools
import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rescli.console import tables
from rescli.errors import REASONS, RescliError
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

    reasons: str = ""
    """The folder in which a process that --devices has started leaves what was wrong: the launcher has the one document."""

    def begin(self, arguments: Sequence[str]) -> None:
        """Start a command. Its words are looked at before they are understood, so that a mistyped line, too, is obeyed."""
        words = set(itertools.takewhile(lambda word: word != "--", arguments))
        self.json, self.debug, self.emitted = "--json" in words, "--debug" in words, False
        self.rank = _rank(arguments)
        self.reasons = os.environ.get(REASONS, "")


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
    document(error)
    who = f"process {settings.rank}: " if settings.rank else ""
    lines = [f"{error.label}: {who}{error.message}", *([error.hint] if error.hint else [])]
    _tell("\n".join(lines))


def document(error: RescliError) -> None:
    """What was wrong, for programs: on stdout with `--json`; in a process of --devices, where its launcher finds it."""
    values = {"error": error.message, "hint": error.hint, "exit_code": error.exit_code}
    with suppress(OSError, ValueError):
        if settings.reasons:
            Path(settings.reasons, str(settings.rank)).write_text(dumps(values), encoding="utf-8")
        elif settings.json and not settings.emitted:
            emit(values)


def say(text: str = "") -> None:
    """A line of the command's result, on stdout."""
    if settings.rank == 0:
        print(text, flush=True)  # noqa: T201


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[int] = ()) -> None:
    """A table on stdout. `right` are the numbers of the columns that are aligned to the right."""
    _say_all(tables.drawn(columns, rows, _stdout(), right=right))


def csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table as CSV on stdout: numbers as they are, nothing for None."""
    _say_all(tables.csv(columns, rows))


def markdown(columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[int] = ()) -> None:
    """A table in Markdown on stdout; columns of numbers, and those in `right`, are aligned to the right."""
    _say_all(tables.markdown(columns, rows, right=right))


def latex(
    columns: Sequence[str], rows: Iterable[Sequence[Any]], *, right: Sequence[int] = (), notes: Sequence[str] = ()
) -> None:
    """A table for LaTeX (booktabs) on stdout, with its notes as comments."""
    _say_all(tables.latex(columns, rows, right=right, notes=notes))


def _say_all(lines: Iterable[str]) -> None:
    for line in lines:
        say(line)


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
    return Console(width=None if on_terminal() else tables.UNLIMITED, highlight=False, emoji=False, markup=False)
