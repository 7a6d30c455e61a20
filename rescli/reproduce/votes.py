"""Which of several runs speak for an element: as near to the paper's as there are, and computed alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rescli.analysis.recipes import word
from rescli.analysis.run import Run
from rescli.reproduce.element import Element, Net
from rescli.reproduce.gather import as_planned


@dataclass(frozen=True, kw_only=True, eq=False)
class Votes:
    """The runs that verdicts are about, and finished ones that are not compared with them, with the reason."""

    runs: tuple[Run, ...]
    others: tuple[tuple[Run, str], ...] = ()


def of_element(element: Element, runs: Iterable[Run]) -> list[Run]:
    """Those of the element's nets."""
    return [run for run in runs if _net(element, run) is not None]


def votes(element: Element, runs: Iterable[Run]) -> Votes:
    """Who votes: of the recipes the nearest to the paper's, of these those in the usual precision.

    All where none is finished.
    """
    known = [(run, _beyond(element, run)) for run in of_element(element, runs)]
    least = min((len(beyond) for run, beyond in known if run.finished), default=None)
    if least is None:
        return Votes(runs=tuple(run for run, _ in known))
    near = [run for run, beyond in known if len(beyond) <= least]
    usual = _usual_precision([run for run in near if run.finished])
    far = [(run, _words(beyond)) for run, beyond in known if run.finished and len(beyond) > least]
    rare = [
        (run, f"computed in {run.recipe.precision} and the others in {usual}")
        for run in near
        if run.finished and run.recipe.precision != usual
    ]
    return Votes(runs=tuple(run for run in near if run.recipe.precision == usual), others=(*far, *rare))


def nearest(runs: Iterable[Run]) -> list[Run]:
    """Finished runs, the nearest to the paper's first; of several, those that a study plans, by seed."""

    def distance(run: Run) -> Any:
        return len(run.differences()), not as_planned(run), run.recipe.seed

    return sorted((run for run in runs if run.finished), key=distance)


def _net(element: Element, run: Run) -> Net | None:
    return next((net for net in element.nets if net.is_of(run.recipe)), None)


def _beyond(element: Element, run: Run) -> dict[str, tuple[Any, Any]]:
    net = _net(element, run)
    return {} if net is None else net.beyond(run.recipe)


def _usual_precision(runs: Sequence[Run]) -> str:
    """What the most nets were computed in; of as many nets the most runs, of as many runs the paper's fp32."""

    def weight(precision: str) -> Any:
        these = [run for run in runs if run.recipe.precision == precision]
        return len({run.label for run in these}), len(these), precision == "fp32"

    return max({run.recipe.precision: None for run in runs}, key=weight)


def _words(beyond: dict[str, tuple[Any, Any]]) -> str:
    return ", ".join(f"{name} {word(its)} (paper: {word(paper)})" for name, (paper, its) in beyond.items())
