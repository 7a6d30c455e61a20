"""What runs say about an element: its figure, its table beside the paper's values, a verdict for each claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rescli.analysis.claims import claims
from rescli.analysis.curves import curves
from rescli.analysis.fig7 import fig7
from rescli.analysis.gradients import gradients_plot
from rescli.analysis.measured import Measured
from rescli.analysis.plot import Plot
from rescli.analysis.run import Run
from rescli.analysis.table import Table
from rescli.analysis.table6 import table6
from rescli.analysis.verdict import Verdict
from rescli.reproduce.element import Element
from rescli.reproduce.tables import error_table, gradient_table, response_table, table_markdown
from rescli.reproduce.votes import Votes, of_element, votes


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """Of one element. `marks` say what makes all of it another thing than the paper's, `lacking` what is not there (yet)."""

    element: Element
    marks: tuple[str, ...]
    runs: tuple[Run, ...]
    table: Table | None
    plot: Plot | None
    verdicts: tuple[Verdict, ...]
    lacking: tuple[str, ...]

    @property
    def title(self) -> str:
        """Fig. 1: plain nets with 20 and 56 layers (4,000 of the paper's 64,000 iterations)."""
        return title_of(self.element, self.marks)

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "element": self.element.name,
            "title": self.title,
            "where": self.element.where,
            "not_the_papers": list(self.marks),
            "runs": [str(run.path) for run in self.runs],
            "table": None if self.table is None else self.table.to_dict(),
            "verdicts": [verdict.to_dict() for verdict in self.verdicts],
            "lacking": list(self.lacking),
        }

    def markdown(
        self, figure: str | None = None, *, heading: str = "#", said: Sequence[str] = (), tables: bool = True
    ) -> str:
        """As a section of a page; `figure` is the file of the drawing. Caveats that are `said` already are left out."""
        parts = [f"{heading} {self.title}"]
        if figure is not None and self.plot is not None:
            parts.append(f"![{self.title}]({figure})")
        if tables and self.table is not None:
            parts.append(table_markdown(self.table))
        parts.append("\n".join(line for verdict in self.verdicts for line in verdict_lines(verdict, said)))
        if self.lacking:
            parts.append("\n".join(["Not there:", "", *(f"- {line}" for line in self.lacking)]))
        return "\n\n".join(part for part in parts if part) + "\n"


def verdict_lines(verdict: Verdict, said: Sequence[str] = ()) -> list[str]:
    """The claim with its answer, then its numbers and what keeps them from being the paper's."""
    return [
        f"- **{verdict.claim}** ({verdict.where}): {verdict.answer}",
        *(f"  - {line}" for line in verdict.numbers),
        *(f"  - but: {line}" for line in verdict.caveats if line not in said),
    ]


def title_of(element: Element, marks: Sequence[str]) -> str:
    """What an element is called, with what makes it another thing than the paper's."""
    return f"{element.where}: {element.title}" + (f" ({'; '.join(marks)})" if marks else "")


def result(element: Element, runs: Sequence[Run], layers: Measured, marks: Sequence[str]) -> Result:
    """Of those `runs` that are of the element's nets. `marks` hold for all of them."""
    runs = of_element(element, runs)
    layers = _measured_on(runs, layers)
    heard = votes(element, runs)
    title = title_of(element, marks)
    return Result(
        element=element,
        marks=tuple(marks),
        runs=tuple(runs),
        table=_table(element, runs, layers, title),
        plot=_plot(element, runs, layers, "\n".join(marks)),
        verdicts=_verdicts(element, heard.runs, _measured_on(heard.runs, layers)),
        lacking=(*_lacking(element, runs, layers), *_not_compared(heard), *layers.notes),
    )


def _lacking(element: Element, runs: Sequence[Run], layers: Measured) -> list[str]:
    """Nets without a finished run, and those that were not measured where the element is about layers."""
    reasons: dict[str, list[str]] = {}
    for net in element.nets:
        paths = {str(run.path) for run in runs if net.is_of(run.recipe) and run.finished}
        measured = {
            "responses": {one.what for one in layers.responses},
            "gradients": {one.what for one in layers.gradients},
        }
        if not paths:
            reasons.setdefault("no finished run", []).append(net.label)
        elif any(what in element.shows and not paths & these for what, these in measured.items()):
            reasons.setdefault("not measured", []).append(net.label)
    return [f"{', '.join(nets)}: {why}" for why, nets in reasons.items()]


def _not_compared(heard: Votes) -> list[str]:
    """Runs that no verdict is about."""
    return [f"{run.label}, seed {run.recipe.seed}: not compared, {why}" for run, why in heard.others]


def _measured_on(runs: Sequence[Run], layers: Measured) -> Measured:
    paths = {str(run.path) for run in runs}
    return replace(
        layers,
        responses=tuple(one for one in layers.responses if one.what in paths),
        gradients=tuple(one for one in layers.gradients if one.what in paths),
    )


def _table(element: Element, runs: Sequence[Run], layers: Measured, title: str) -> Table | None:
    if "responses" in element.shows:
        return response_table(layers.responses, title) if layers.responses else None
    if "gradients" in element.shows:
        return gradient_table(layers.gradients, title) if layers.gradients else None
    if not runs:
        return None
    return replace(table6(runs), title=title) if "table6" in element.shows else error_table(runs, title)


def _plot(element: Element, runs: Sequence[Run], layers: Measured, note: str) -> Plot | None:
    drawn: Plot | None = None
    if "curves" in element.shows and any(run.has_curve for run in runs):
        drawn = curves([run for run in runs if run.has_curve])
    if "responses" in element.shows and layers.responses:
        drawn = fig7(layers.responses)
    if "gradients" in element.shows and layers.gradients:
        drawn = gradients_plot(layers.gradients)
    return None if drawn is None else replace(drawn, note=note)


def _verdicts(element: Element, runs: Sequence[Run], layers: Measured) -> tuple[Verdict, ...]:
    """Those of the element's claims."""
    found = {one.claim: one for one in claims(runs, layers.responses, layers.gradients)}
    return tuple(found[claim] for claim in element.claims)
