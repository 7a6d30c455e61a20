"""Plots as one would put them into a paper: vector or png, legible at the width of one column, for the colour-blind too."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from rescli.analysis.plot import Line, Panel, Plot, Style
from rescli.errors import UsageError
from rescli.profiling.figure_file import Format, file_bytes

# Okabe and Ito's colours, which the colour-blind can tell apart, in the order of their contrast to white.
COLOURS = ("#000000", "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
STYLES: dict[Style, dict[str, Any]] = {
    "bold": {"linewidth": 1.6},
    "solid": {"linewidth": 1.1},
    "dashed": {"linewidth": 0.8, "linestyle": (0, (3, 1.5))},
}
WIDTHS = {"column": 3.3, "page": 6.9}
"""Inches: one of two columns, and both."""
PANEL_HEIGHT = 2.3
APART = 0.05  # of the height of the axes: the least distance of two labels


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Size in inches (None: as high as the panels need) and font size in points."""

    width: float = WIDTHS["column"]
    height: float | None = None
    font_size: float = 8.0

    @classmethod
    def of(cls, size: str, font_size: float) -> Layout:
        """`size` is "column", "page" or "WIDTHxHEIGHT" in inches. Raises `UsageError`."""
        if size in WIDTHS:
            return cls(width=WIDTHS[size], font_size=font_size)
        found = re.fullmatch(r"(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)", size)
        if found is None or not all(0.5 <= float(one) <= 100 for one in found.groups()):
            raise UsageError(
                f"--size {size}: neither {', '.join(WIDTHS)} nor WIDTHxHEIGHT in inches", "For example --size 3.3x2.4."
            )
        return cls(width=float(found[1]), height=float(found[2]), font_size=font_size)


def figure_bytes(plot: Plot, format: Format, layout: Layout | None = None, *, salt: str = "rescli") -> bytes:  # noqa: A002
    """The figure as a file; equal plots give equal bytes. `salt` makes the ids of an svg differ from another's on one page."""
    from matplotlib import rc_context

    with rc_context({"svg.fonttype": "none", "svg.hashsalt": salt, "pdf.fonttype": 42, "axes.linewidth": 0.6}):
        return file_bytes(figure(plot, layout), format, dpi=300)


def figure(plot: Plot, layout: Layout | None = None) -> Any:
    """The figure as matplotlib's own object."""
    from matplotlib.figure import Figure

    layout = layout or Layout()
    height = layout.height or PANEL_HEIGHT * len(plot.panels)
    drawn = Figure(figsize=(layout.width, height), layout="constrained")
    axes = drawn.subplots(len(plot.panels), 1, squeeze=False).ravel()
    colours = colours_of(plot)
    for panel, one in zip(plot.panels, axes, strict=True):
        _panel(one, panel, colours, layout)
        if plot.key:
            _labels(one, panel, colours, layout)
    if plot.note:
        axes[0].set_title(_text(plot.note), fontsize=layout.font_size - 1, loc="left")
    if plot.key:
        _key(axes[0], plot, layout)
    else:
        _legend(drawn, plot, colours, layout)
    return drawn


def _text(label: str) -> str:
    """A name, perhaps of a file, as matplotlib writes it: no formula between dollars, no bytes that are no text."""
    text = label.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("$", r"\$")
    return f" {text}" if text.startswith("_") else text  # with a line at its beginning legends leave it out


def colours_of(plot: Plot) -> dict[str, str]:
    """The colour of every group of lines, in the order of their appearance."""
    groups = list(dict.fromkeys(line.group for panel in plot.panels for line in panel.lines))
    return {group: COLOURS[number % len(COLOURS)] for number, group in enumerate(groups)}


def _panel(axes: Any, panel: Panel, colours: dict[str, str], layout: Layout) -> None:
    for line in panel.lines:
        colour = colours[line.group]
        axes.plot(line.x / panel.unit, line.y, color=colour, label=_text(line.label), **STYLES[line.style])
        if line.spread is not None:
            low, high = line.y - line.spread, line.y + line.spread
            axes.fill_between(line.x / panel.unit, low, high, color=colour, alpha=0.15, linewidth=0)
    if panel.log:
        axes.set_yscale("log")
    if panel.x_limits is not None:
        axes.set_xlim(panel.x_limits[0] / panel.unit, panel.x_limits[1] / panel.unit)
    if panel.y_limits is not None:
        axes.set_ylim(*panel.y_limits)
    if panel.unit == 1.0:
        axes.xaxis.get_major_locator().set_params(integer=True)  # layers and iterations are counted
    axes.set_xlabel(panel.x_label, fontsize=layout.font_size)
    axes.set_ylabel(panel.y_label, fontsize=layout.font_size)
    axes.tick_params(labelsize=layout.font_size - 1, width=0.6, length=2.5)
    axes.grid(True, linewidth=0.3, alpha=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def _labels(axes: Any, panel: Panel, colours: dict[str, str], layout: Layout) -> None:
    """Names at the ends of the lines, moved apart where they would overlap: no colour has to be looked up."""
    ends: dict[str, Line] = {}
    for line in panel.lines:
        if len(line.x) and (line.group not in ends or line.style == "bold"):
            ends[line.group] = line
    low, high = axes.get_ylim()
    wanted = [((float(line.y[-1]) - low) / (high - low), group) for group, line in ends.items()]
    apart = max(APART, 1.25 * layout.font_size / 72 / max(0.5, (layout.height or PANEL_HEIGHT) - 0.6))
    for height, group in spaced(wanted, apart):
        axes.text(
            1.02,
            height,
            _text(group),
            transform=axes.transAxes,
            color=colours[group],
            va="center",
            fontsize=layout.font_size - 1,
        )


def _legend(drawn: Any, plot: Plot, colours: dict[str, str], layout: Layout) -> None:
    """The lines' names above the panels, as many beside one another as fit."""
    from matplotlib.lines import Line2D

    styles = {line.group: line.style for line in reversed(plot.panels[0].lines)}
    handles = [Line2D([], [], color=colours[group], label=_text(group), **STYLES[styles[group]]) for group in colours]
    widest = max(len(group) for group in colours)
    columns = max(1, int(layout.width * 72 / ((0.55 * widest + 4) * layout.font_size)))
    drawn.legend(
        handles=handles,
        loc="outside upper center",
        ncols=min(columns, len(handles)),
        fontsize=layout.font_size - 1,
        frameon=False,
        handlelength=1.8,
        columnspacing=1.2,
    )


def spaced(wanted: list[tuple[float, str]], apart: float) -> list[tuple[float, str]]:
    """Heights (0 to 1) as near to the wanted ones as they can be with `apart` between any two, in the same order."""
    placed: list[list[Any]] = []  # clusters: [sum of wanted heights at the cluster's foot, members]
    for height, group in sorted(wanted):
        placed.append([min(max(height, 0.0), 1.0), [group]])
        while len(placed) > 1 and placed[-2][0] + apart * (len(placed[-2][1])) > placed[-1][0]:
            foot, members = placed.pop()
            before, earlier = placed[-1]
            joined = [*earlier, *members]
            shifted = before * len(earlier) + (foot - apart * len(earlier)) * len(members)
            placed[-1] = [shifted / len(joined), joined]
    found = [(foot + apart * number, group) for foot, members in placed for number, group in enumerate(members)]
    above = max(0.0, max((height for height, _ in found), default=0.0) - 1.0)
    return [(height - above, group) for height, group in found]


def _key(axes: Any, plot: Plot, layout: Layout) -> None:
    """What dashed and bold lines mean."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], color="#555555", label=words, **STYLES[style]) for style, words in plot.key.items()]
    axes.legend(handles=lines, fontsize=layout.font_size - 1.5, frameon=False, loc="upper right", handlelength=1.8)
