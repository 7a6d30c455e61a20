"""What all runs of a study have in common. No torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from rescli.data.names import info
from rescli.errors import UsageError
from rescli.recipes.cifar import PAPER_ITERATIONS
from rescli.recipes.recipe import Precision

PAPER_DATASET = "cifar10"
PRECISIONS: tuple[str, ...] = get_args(Precision)
FIXED = ("dataset", "scale", "precision")
"""What a study keeps from its first run on: its runs could not be compared otherwise."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """`scale` is the part of the paper's 64k iterations. What follows `precision` changes how a run is computed, not what.

    Raises `UsageError` for values that make no sense.
    """

    dataset: str = PAPER_DATASET
    scale: float = 1.0
    precision: str = "auto"
    backend: str = "auto"
    data: Path | None = None
    threads: int | None = None
    checkpoint_every: float | None = None

    def __post_init__(self) -> None:
        known = info(self.dataset)
        if known.image_size != 32 or known.classes != 10:
            raise UsageError(f"the paper's tables and figures are of {PAPER_DATASET}, not of {self.dataset}")
        if self.precision not in PRECISIONS:
            raise UsageError(f"--precision {self.precision}: must be one of {', '.join(PRECISIONS)}")
        if not known.needs_files and self.data is not None:
            raise UsageError(f"{self.dataset} is built in: --data has no effect", "Leave it out.")
        if self.checkpoint_every is not None and not self.checkpoint_every >= 0:
            raise UsageError(f"--checkpoint-every {self.checkpoint_every:g}: must be a number of seconds, at least 0")
        if not 0 < self.scale <= 1:
            raise UsageError(
                f"--scale {self.scale:g}: must be a part of the paper's {PAPER_ITERATIONS:,} iterations, above 0, at most 1",
                "--scale 0.0625 is 4,000 iterations.",
            )

    @property
    def iterations(self) -> int:
        """Of every run."""
        return max(1, round(self.scale * PAPER_ITERATIONS))

    def covers(self, dataset: str, iterations: int) -> bool:
        """Whether a run on these images, of this length, is one of the study's."""
        return (dataset, iterations) == (self.dataset, self.iterations)

    @property
    def marks(self) -> tuple[str, ...]:
        """What makes the whole study another one than the paper's, in words; empty for the paper's."""
        return marks_of(self.dataset, self.iterations)


def marks_of(dataset: str, iterations: int) -> tuple[str, ...]:
    """What makes runs of this length on these images other ones than the paper's, in words."""
    found = []
    if iterations != PAPER_ITERATIONS:
        of = "of" if iterations < PAPER_ITERATIONS else "instead of"
        found.append(f"{iterations:,} {of} the paper's {PAPER_ITERATIONS:,} iterations")
    if dataset != PAPER_DATASET:
        found.append(f"images of {info(dataset).title}, not {info(PAPER_DATASET).title}")
    return tuple(found)
