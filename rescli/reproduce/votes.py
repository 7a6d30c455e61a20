"""Which of several runs speak for an element: those computed as most of them were, and as near to the paper's as there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from rescli.analysis.run import Run
from rescli.reproduce.element import Element
from rescli.reproduce.gather import as_planned


def of_element(element: Element, runs: Iterable[Run]) -> list[Run]:
    """Those of the element's nets."""
    return [run for run in runs if any(net.is_of(run.recipe) for net in element.nets)]


def usual_precision(runs: Iterable[Run]) -> str | None:
    """What most of the finished ones were computed in; the paper's fp32 where as many were. None where none is finished."""
    counts = Counter(run.recipe.precision for run in runs if run.finished)
    return max(counts, key=lambda name: (counts[name], name == "fp32"), default=None)


def voters(runs: Sequence[Run]) -> list[Run]:
    """Those that verdicts are about: in the usual precision; all where none is finished."""
    usual = usual_precision(runs)
    return [run for run in runs if usual in (None, run.recipe.precision)]


def nearest(runs: Iterable[Run]) -> list[Run]:
    """Finished runs, the nearest to the paper's first; of several, those that a study plans, by seed."""

    def distance(run: Run) -> Any:
        return len(run.differences()), not as_planned(run), run.recipe.seed

    return sorted((run for run in runs if run.finished), key=distance)
