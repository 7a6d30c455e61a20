"""What a figure shows, apart from how: `figures.py` draws it for print, the console in characters; files take its numbers."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

import numpy.typing as npt

Style: TypeAlias = Literal["bold", "dashed", "solid"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Line:
    """One curve. Lines of one `group` share a colour. `what` says what it is: "test error"; `source` is its file."""

    label: str
    group: str
    what: str
    source: str
    x: npt.NDArray[Any]
    y: npt.NDArray[Any]
    style: Style = "solid"
    spread: npt.NDArray[Any] | None = None
    """One standard deviation to both sides, drawn as a band."""
    names: Sequence[str] = ()
    """Of the points, where they have any: layers."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Panel:
    """One pair of axes. A limit is (low, high), None where the lines decide; `unit` divides x as it is printed."""

    name: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    x_limits: tuple[float, float] | None = None
    y_limits: tuple[float, float] | None = None
    unit: float = 1.0
    log: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Plot:
    """A figure of one panel or several, one below the other.

    The lines' names stand at their ends, and `key` explains the styles; without a key they stand in a legend, in their styles.
    `note` stands above the panels: what keeps the figure from being the paper's.
    """

    panels: tuple[Panel, ...]
    key: Mapping[Style, str] = field(default_factory=dict)
    note: str = ""

    def rows(self) -> Iterator[dict[str, Any]]:
        """What is drawn, point by point."""
        for panel in self.panels:
            for line in panel.lines:
                for number in range(len(line.x)):
                    yield {
                        "panel": panel.name,
                        "label": line.group,
                        "what": line.what,
                        "source": line.source,
                        "name": line.names[number] if line.names else "",
                        "x": line.x[number].item(),
                        "y": line.y[number].item(),
                        "std": "" if line.spread is None else line.spread[number].item(),
                    }

    def as_csv(self) -> str:
        """The points as CSV text."""
        text = io.StringIO()
        writer = csv.DictWriter(
            text, ("panel", "label", "what", "source", "name", "x", "y", "std"), lineterminator="\n"
        )
        writer.writeheader()
        writer.writerows(self.rows())
        return text.getvalue()

    def as_json(self) -> str:
        """The lines as JSON text."""
        return json.dumps(
            [
                {
                    "panel": panel.name,
                    "x_label": panel.x_label,
                    "y_label": panel.y_label,
                    "lines": [
                        {
                            "label": line.group,
                            "what": line.what,
                            "source": line.source,
                            "x": line.x.tolist(),
                            "y": line.y.tolist(),
                            **({} if line.spread is None else {"std": line.spread.tolist()}),
                            **({"names": list(line.names)} if line.names else {}),
                        }
                        for line in panel.lines
                    ],
                }
                for panel in self.panels
            ],
            indent=1,
        )


def distinct(named: Iterable[tuple[str, str]]) -> list[str]:
    """Labels of (label, file) pairs; where two would be called the same, with as much of their paths as tells them apart."""
    pairs = [(label, what.removesuffix(".h5").split("/")) for label, what in named]
    found = []
    for label, parts in pairs:
        others = [other for one, other in pairs if one == label and other != parts]
        several = sum(one == label for one, _ in pairs) > 1
        enough = next((n for n in range(1, len(parts)) if all(one[-n:] != parts[-n:] for one in others)), len(parts))
        found.append(f"{label} {'/'.join(parts[-enough:])}" if several else label)
    return found
