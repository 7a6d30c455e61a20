"""Runs of several studies, those of one length and data set together: they can be compared, others cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rescli.analysis.measured import Measured
from rescli.analysis.run import Run
from rescli.recipes.cifar import PAPER_ITERATIONS
from rescli.reproduce.element import Element
from rescli.reproduce.elements import CIFAR
from rescli.reproduce.results import Result, result
from rescli.reproduce.settings import PAPER_DATASET, marks_of


@dataclass(frozen=True, kw_only=True, eq=False)
class Chapter:
    """Runs of one data set and length, and what they say about every element that they are part of."""

    dataset: str
    iterations: int
    runs: tuple[Run, ...]
    results: tuple[Result, ...]

    @property
    def marks(self) -> tuple[str, ...]:
        """What makes all of it another thing than the paper's."""
        return marks_of(self.dataset, self.iterations)

    @property
    def title(self) -> str:
        """For a heading."""
        return "; ".join(self.marks) or f"The paper's {PAPER_ITERATIONS:,} iterations"

    @property
    def study(self) -> str:
        """A folder for it, another one for each chapter: study, study-4000."""
        return f"study{self._suffix}"

    def figure(self, element: Element) -> str:
        """The file of an element's figure."""
        return f"{element.name}{self._suffix}.svg"

    @property
    def _suffix(self) -> str:
        length = f"-{self.iterations}" if self.iterations != PAPER_ITERATIONS else ""
        return length + (f"-{self.dataset}" if self.dataset != PAPER_DATASET else "")


def chapters(runs: Sequence[Run], layers: Measured) -> list[Chapter]:
    """The paper's data set before others, long runs before short ones; unfinished runs are in the chapter of their recipe."""
    keys = sorted(
        {(run.recipe.dataset, run.recipe.iterations) for run in runs},
        key=lambda key: (key[0] != PAPER_DATASET, key[0], -key[1]),
    )
    found = []
    for dataset, iterations in keys:
        these = tuple(run for run in runs if (run.recipe.dataset, run.recipe.iterations) == (dataset, iterations))
        marks = marks_of(dataset, iterations)
        results = [result(element, these, layers, marks) for element in CIFAR]
        found.append(
            Chapter(
                dataset=dataset,
                iterations=iterations,
                runs=these,
                results=tuple(one for one in results if one.runs),
            )
        )
    return found
