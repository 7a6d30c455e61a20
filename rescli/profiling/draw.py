"""A network drawn as Fig. 3 does, in columns that fit a page."""

from __future__ import annotations

from typing import Any

from rescli.models.names import title
from rescli.models.spec import Spec
from rescli.profiling.cost import cost
from rescli.profiling.figure_file import Format, file_bytes
from rescli.profiling.graph import Arc, Graph, graph

# Okabe and Ito's colours, which the colour-blind can tell apart, lightened under black text.
COLOURS = ("#d9d9d9", "#9fd3f2", "#f5cf80", "#99dcc4", "#e8b3d0", "#f2e98f", "#c4d7e8", "#e0b894")
COLUMN = 36  # boxes one above the other
WIDE, HIGH, STEP, PITCH = 1.5, 0.19, 0.27, 3.3  # inches: a box, and from one to the next down and across
INSET = 0.02  # so that one shortcut's end and the next one's beginning are two lines


def figure_bytes(spec: Spec, format: Format) -> bytes:  # noqa: A002 - the word for it
    """The drawing as a file; equal networks give equal bytes. Raises `UsageError` where the input is too small."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    scene = graph(spec)
    starts = _columns(scene)
    rows = max(end - start for start, end in zip(starts, [*starts[1:], len(scene.boxes)], strict=True))
    wide, high = len(starts) * PITCH + 0.4, rows * STEP + 1.1
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "rescli", "font.size": 7}):
        figure = Figure(figsize=(max(wide, 4.2), high), dpi=150)
        axes: Any = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.set_xlim(0, max(wide, 4.2))
        axes.set_ylim(-high, 0)
        counts = cost(spec)
        axes.text(0.3, -0.3, title(spec), fontsize=10, weight="bold")
        axes.text(0.3, -0.5, f"{counts.macs:,} multiply-adds, {counts.parameters:,} parameters")
        _draw(axes, scene, starts)
        return file_bytes(figure, format, dpi=150)


def _columns(scene: Graph) -> list[int]:
    """The number of the first box of each column. A column ends between two blocks, never within a shortcut."""
    within = {number for arc in scene.arcs for number in range(arc.first + 1, arc.last + 1)}
    count = -(-len(scene.boxes) // COLUMN)
    rows = -(-len(scene.boxes) // count)
    starts = [0]
    for number in range(len(scene.boxes)):
        if number - starts[-1] >= rows and number not in within:
            starts.append(number)
    return starts


def _draw(axes: Any, scene: Graph, starts: list[int]) -> None:
    places: list[tuple[float, float]] = []
    for number in range(len(scene.boxes)):
        column = sum(start <= number for start in starts) - 1
        places.append((0.85 + PITCH * column, -0.85 - STEP * (number - starts[column])))
    size = None
    for number, (box, (x, y)) in enumerate(zip(scene.boxes, places, strict=True)):
        _box(axes, box.label, x, y, COLOURS[box.stage % len(COLOURS)], dashed=bool(box.folded))
        if box.size != size or number in starts:
            axes.text(x - 0.1, y, f"output\nsize: {box.size}", ha="right", va="center", fontsize=6, linespacing=1.1)
            size = box.size
        if number + 1 < len(scene.boxes):
            middle = x + WIDE / 2
            if number + 1 in starts:  # on at the head of the next column
                gap, head = x + WIDE + 1.0, places[number + 1][0] + WIDE / 2
                foot, top = y - STEP / 2, places[number + 1][1] + STEP / 2
                corners = [(middle, y - HIGH / 2), (middle, foot), (gap, foot), (gap, top), (head, top)]
                _line(axes, corners, "-")
                _arrow(axes, (head, top), (head, top - STEP / 2 + HIGH / 2))
            else:
                _arrow(axes, (middle, y - HIGH / 2), (middle, y - STEP + HIGH / 2))
    for arc in scene.arcs:
        _arc(axes, places[arc.first], places[arc.last], arc)


def _box(axes: Any, label: str, x: float, y: float, colour: str, *, dashed: bool) -> None:
    from matplotlib.patches import Rectangle

    style = "--" if dashed else "-"
    axes.add_patch(Rectangle((x, y - HIGH / 2), WIDE, HIGH, facecolor=colour, edgecolor="black", lw=0.6, ls=style))
    axes.text(x + WIDE / 2, y, label, ha="center", va="center")


def _line(axes: Any, points: list[tuple[float, float]], style: str) -> None:
    from matplotlib.lines import Line2D

    axes.add_line(Line2D([x for x, _ in points], [y for _, y in points], color="black", lw=0.7, ls=style))


def _arrow(axes: Any, start: tuple[float, float], end: tuple[float, float]) -> None:
    style = {
        "arrowstyle": "-|>,head_width=0.12,head_length=0.2",
        "lw": 0.7,
        "shrinkA": 0,
        "shrinkB": 0,
        "color": "black",
    }
    axes.annotate("", xy=end, xytext=start, arrowprops=style)


def _arc(axes: Any, start: tuple[float, float], end: tuple[float, float], arc: Arc) -> None:
    """Beside the boxes, from in front of the block to behind it."""
    (x, top), (_, bottom) = start, end
    side, above, below = x + WIDE, top + STEP / 2 - INSET, bottom - STEP / 2 + INSET
    corners = [(x + WIDE / 2, above), (side + 0.2, above), (side + 0.2, below)]
    _line(axes, corners, ":" if arc.dotted else "-")
    _arrow(axes, (side + 0.2, below), (x + WIDE / 2, below))
    axes.text(side + 0.24, (above + below) / 2, arc.label, va="center", fontsize=6)
