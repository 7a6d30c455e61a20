"""Curves in characters, for a login node where no figure can be looked at."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 78, 18
"""Of a plot that goes into a file or pipe; on a terminal it is as wide as that, up to twice this."""

LETTERS = "abcdefghijklmnopqrstuvwxyz"
COLOURS = ("default", "orange", "blue", "green", "magenta", "yellow", "cyan")
"""What tells curves apart: colours, or letters where there are none."""


@dataclass(frozen=True)
class Stroke:
    """One curve with its name."""

    label: str
    x: Sequence[float]
    y: Sequence[float]


def sketch(
    strokes: Sequence[Stroke],
    *,
    x_label: str,
    y_label: str,
    x_limits: tuple[float, float] | None = None,
    y_limits: tuple[float, float] | None = None,
    log: bool = False,
) -> str:
    """The curves as text of several lines; in colour where the terminal shows it and NO_COLOR does not forbid it."""
    import plotext  # an import of 0.2 s, which only a command that draws has to wait for

    screen = sys.stdout.isatty()
    coloured = screen and not os.environ.get("NO_COLOR")
    width = min(2 * WIDTH, shutil.get_terminal_size((WIDTH, 0)).columns - 1) if screen else WIDTH
    plotext.clear_figure()
    plotext.theme("clear")
    plotext.limit_size(False, False)
    plotext.plotsize(width, HEIGHT)
    if log:
        plotext.yscale("log")
    for number, stroke in enumerate(strokes):
        inside = [
            (x, y)
            for x, y in zip(stroke.x, stroke.y, strict=True)
            if (y_limits is None or y_limits[0] <= y <= y_limits[1]) and not (log and y <= 0)
        ]
        marker = "braille" if coloured or len(strokes) == 1 else LETTERS[number % len(LETTERS)]
        if inside:
            x, y = zip(*inside, strict=True)
            plotext.plot(list(x), list(y), label=stroke.label, marker=marker, color=COLOURS[number % len(COLOURS)])
    if x_limits is not None:
        plotext.xlim(*x_limits)
    if y_limits is not None:
        plotext.ylim(*y_limits)
    plotext.xlabel(x_label)
    plotext.ylabel(y_label)
    text: str = plotext.build()
    if not coloured:
        text = plotext.uncolorize(text)
    return "\n".join(line.rstrip() for line in text.splitlines())
