"""Where a run stands, and the metrics it has gathered so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.backends.base import Totals

COLUMNS: Mapping[str, type] = {
    "iteration": np.int64,
    "loss": np.float64,
    "error": np.float64,
    "learning_rate": np.float64,
    "seconds": np.float64,
}
"""Iterations done; mean cross-entropy in nats; error in %; learning rate of the last iteration; seconds of training."""


@dataclass(frozen=True, kw_only=True)
class Mark:
    """The running sums at the start of a window: a window's mean is the difference of two readings."""

    loss: float = 0.0
    errors: int = 0
    images: int = 0

    @classmethod
    def of(cls, totals: Totals) -> Mark:
        """The sums as they are now."""
        return cls(loss=totals.loss, errors=totals.errors, images=totals.images)

    def means(self, totals: Totals) -> tuple[float, float]:
        """Mean loss and error in % since this mark."""
        images = totals.images - self.images
        return (totals.loss - self.loss) / images, 100 * (totals.errors - self.errors) / images


@dataclass(kw_only=True)
class Progress:
    """What the loop itself must remember, beside the worker's state. `warmup_ended` is None while (or without) warm-up."""

    iteration: int = 0
    evaluated: int = 0
    """The iteration of the last evaluation."""
    warming_up: bool = False
    warmup_ended: int | None = None
    seconds: float = 0.0
    log_mark: Mark = field(default_factory=Mark)
    warmup_mark: Mark = field(default_factory=Mark)
    drops: int = 0
    """How often the learning rate was divided because the error had reached a plateau."""
    best_error: float | None = None
    """Of the last evaluation that made progress, in %; None where no rule looks at it."""
    waited: int = 0
    """Evaluations since then without progress."""
    averaged: bool = False
    """Whether BN's statistics are the true averages."""

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Progress:
        """Of `to_dict`'s values."""
        marks = {name: Mark(**values[name]) for name in ("log_mark", "warmup_mark")}
        return cls(**{**values, **marks})


class Metrics:
    """Rows of numbers by split ("train", "test", "val"); see `COLUMNS`."""

    def __init__(self, stored: Mapping[str, Mapping[str, npt.NDArray[Any]]] | None = None) -> None:
        self._rows: dict[str, dict[str, list[Any]]] = {
            split: {name: column.tolist() for name, column in columns.items()}
            for split, columns in (stored or {}).items()
        }

    def add(self, split: str, row: Mapping[str, float]) -> None:
        """Append one row; its keys are columns, the same for every row of a split."""
        columns = self._rows.setdefault(split, {name: [] for name in row})
        assert columns.keys() == row.keys()
        for name, value in row.items():
            columns[name].append(value)

    def last(self, split: str, column: str) -> Any:
        """The newest value of a column, or None."""
        values = self._rows.get(split, {}).get(column)
        return values[-1] if values else None

    def arrays(self) -> dict[str, dict[str, npt.NDArray[Any]]]:
        """All columns as arrays: int64 iterations, float64 the rest."""
        return {
            split: {name: np.asarray(values, dtype=COLUMNS[name]) for name, values in columns.items()}
            for split, columns in self._rows.items()
        }
