"""A table of results: exact values for machines, the paper's way of printing them for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows of cells as printed (`rows`), the same as numbers and text (`exact`), and lines to stand below (`notes`).

    `right` are the numbers of the columns that are aligned to the right. `flat` are the rows of `exact` for CSV, where these
    are nested.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    exact: tuple[dict[str, Any], ...]
    notes: tuple[str, ...] = ()
    right: tuple[int, ...] = ()
    flat: tuple[dict[str, Any], ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return {"title": self.title, "rows": list(self.exact), "notes": list(self.notes)}


TRAINING_ERROR = (
    "training error: mean over the last 1/64 of a run (its last row where that is less than 10 iterations), none where rows of "
    "metrics are longer; mean±std over seeds"
)


class Footnotes:
    """Remarks that several rows may share, each with a letter: a, b, c, ..."""

    def __init__(self) -> None:
        self._letters: dict[str, str] = {}

    def mark(self, remarks: Sequence[str]) -> str:
        """The letters of these remarks, such as "a,c"."""
        letters = [self._letters.setdefault(remark, _letter(len(self._letters))) for remark in remarks]
        return ",".join(sorted(letters, key=lambda letter: (len(letter), letter)))

    def lines(self) -> tuple[str, ...]:
        """Letter and remark, a line each."""
        return tuple(f"{letter}: {remark}" for remark, letter in self._letters.items())


def _letter(number: int) -> str:
    """Letters a to z, then aa, ab, ..."""
    head, tail = divmod(number, 26)
    return (_letter(head - 1) if head else "") + chr(ord("a") + tail)


def mean_std(values: Sequence[float]) -> str:
    """As Table 6 prints five runs: best (mean +- std); of one run its value, of none nothing. In %."""
    if not values:
        return ""
    if len(values) == 1:
        return f"{values[0]:.2f}"
    mean = sum(values) / len(values)
    return f"{min(values):.2f} ({mean:.2f}±{deviation(values):.2f})"


def spread(values: Sequence[float]) -> str:
    """Mean±std over seeds; of one its value, of none nothing. In %."""
    if not values:
        return ""
    mean = sum(values) / len(values)
    return f"{mean:.2f}±{deviation(values):.2f}" if len(values) > 1 else f"{mean:.2f}"


def deviation(values: Sequence[float]) -> float:
    """The standard deviation of a sample (n - 1); 0 for a single value."""
    if len(values) < 2:
        return 0.0
    mean = sum(values) / len(values)
    return float((sum((value - mean) ** 2 for value in values) / (len(values) - 1)) ** 0.5)
