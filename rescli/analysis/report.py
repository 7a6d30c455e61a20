"""One page with everything that some runs can show: self-contained HTML, for a screen of any size and for paper."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import rescli
from rescli.analysis.claims import claims
from rescli.analysis.collect import Collection
from rescli.analysis.curves import curves
from rescli.analysis.degradation import degradation_table
from rescli.analysis.fig7 import fig7
from rescli.analysis.figures import Look, figure_bytes
from rescli.analysis.gradients import Gradients, gradients, gradients_plot
from rescli.analysis.groups import group
from rescli.analysis.plot import Plot
from rescli.analysis.responses import Responses, responses
from rescli.analysis.run import Run, word
from rescli.analysis.subject import Wishes
from rescli.analysis.table import Footnotes, Table
from rescli.analysis.table6 import table6
from rescli.errors import RescliError

LOOK = Look(width=4.2)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A figure of the page: a heading, the svg itself, and a sentence below."""

    title: str
    svg: str
    caption: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """What was measured for the page, and what could not be, with the reason."""

    responses: tuple[Responses, ...] = ()
    gradients: tuple[Gradients, ...] = ()
    notes: tuple[str, ...] = ()


def measure(runs: Sequence[Run], wishes: Wishes, tell: Callable[[str], None] = lambda _: None) -> Measured:
    """Responses and gradients of one run of every experiment: a finished one with the smallest seed.

    Responses that a run store holds are taken from there. `tell` hears what is being measured.
    """
    found: list[Responses] = []
    norms: list[Gradients] = []
    notes: list[str] = []
    for one in (one.first for one in group(runs) if one.first.finished):
        tell(f"{one.label}: responses and gradients of {one.path}")
        try:
            found.append(responses(str(one.path), wishes))
            norms.append(gradients(str(one.path), Wishes(split="train", **_where(wishes)), batches=4, batch_size=64))
        except RescliError as error:
            notes.append(error.message)
    return Measured(responses=tuple(found), gradients=tuple(norms), notes=tuple(notes))


def _where(wishes: Wishes) -> dict[str, Any]:
    return {name: getattr(wishes, name) for name in ("data", "backend", "precision", "threads")}


def report(found: Collection, measured: Measured, *, title: str) -> str:
    """The page as HTML text. Equal runs give equal pages."""
    runs = found.runs
    environment = Environment(loader=PackageLoader("rescli.analysis"), autoescape=True, undefined=StrictUndefined)
    environment.filters["word"] = word
    return environment.get_template("report.html").render(
        title=title,
        version=rescli.__version__,
        runs=runs,
        skipped=found.skipped,
        verdicts=claims(runs, measured.responses, measured.gradients),
        tables=[run_table(runs), table6(runs), degradation_table(runs)],
        figures=figures(runs, measured),
        notes=measured.notes,
        provenance=[_provenance(run) for run in runs],
    )


def run_table(runs: Sequence[Run]) -> Table:
    """Every run, a row each."""
    notes = Footnotes()
    rows, exact = [], []
    for run in runs:
        rows.append(
            (
                str(run.path),
                run.label,
                str(run.recipe.seed),
                f"{run.iteration:,} of {run.recipe.iterations:,}",
                "" if run.train_error is None else f"{run.train_error:.2f}",
                "" if run.error is None else f"{run.error:.2f}",
                f"{run.seconds / 60:,.1f}",
                notes.mark(run.marks()),
            )
        )
        exact.append({"run": str(run.path), "net": run.label, "train_error": run.train_error, "error": run.error})
    return Table(
        title="Runs",
        columns=("run", "net", "seed", "iterations", "training error (%)", "test error (%)", "minutes", "note"),
        rows=tuple(rows),
        exact=tuple(exact),
        notes=notes.lines(),
        right=(2, 3, 4, 5, 6),
    )


def figures(runs: Sequence[Run], measured: Measured) -> list[Shown]:
    """The figures of the paper that these runs allow."""
    shown: list[Shown] = []

    def draw(title: str, caption: str, plot: Plot) -> None:
        shown.append(Shown(title=title, svg=inline(plot, salt=title), caption=caption))

    def some(choose: Callable[[Run], bool], least: int, title: str, caption: str) -> None:
        chosen = [run for run in runs if choose(run) and len(run.curve("train")[1])]
        if len({run.recipe.depth for run in chosen}) >= least:
            draw(title, caption, curves(chosen))

    lines = "Thin dashed lines: training error; bold lines: test error."
    some(
        lambda run: run.recipe.plain and run.recipe.depth in (20, 56),
        2,
        "Figure 1",
        f"Plain nets with 20 and 56 layers. {lines}",
    )
    some(lambda run: run.recipe.plain, 1, "Figure 6, left", f"Plain nets. {lines}")
    some(lambda run: not run.recipe.plain and run.recipe.depth < 1000, 1, "Figure 6, middle", f"Residual nets. {lines}")
    some(
        lambda run: not run.recipe.plain and run.recipe.depth in (110, 1202),
        2,
        "Figure 6, right",
        f"Residual nets with 110 and 1202 layers. {lines}",
    )
    if measured.responses:
        first = measured.responses[0]
        caption = (
            f"Standard deviations of layer responses over {first.images:,} {first.split} images: outputs of each 3x3 layer, "
            "after BN and before ReLU or addition. Dashed: plain nets."
        )
        draw("Figure 7", caption, fig7(measured.responses))
    if measured.gradients:
        norms = measured.gradients[0]
        caption = (
            f"Norms over {norms.batches} batches of {norms.batch_size} images, with their spread. Dashed: plain nets."
        )
        draw("Gradients and forward variance (Sec. 4.1)", caption, gradients_plot(measured.gradients))
    return shown


def inline(plot: Plot, *, salt: str) -> str:
    """A figure as an svg element for a page: black follows the page's text colour, so that a dark page shows it."""
    text = figure_bytes(plot, "svg", LOOK, salt=salt).decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = text.replace("#000000", "currentColor").replace("#555555", "currentColor")
    text = re.sub(r"(<g id=\"patch_1\">.*?)fill: #ffffff", r"\1fill: none", text, count=1, flags=re.DOTALL)
    text = re.sub(r"fill: #ffffff", "fill: none", text)
    return re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r"<svg \1", text, count=1)


def _provenance(run: Run) -> dict[str, Any]:
    last = run.sessions[-1] if run.sessions else {}
    names = (
        "command",
        "backend",
        "device",
        "host",
        "threads",
        "deterministic",
        "rescli",
        "torch",
        "torchvision",
        "python",
    )
    return {
        "path": Path(run.path).name,
        "label": run.label,
        "seed": run.recipe.seed,
        "sessions": len(run.sessions),
        "facts": {name: word(last[name]) for name in names if last.get(name) is not None},
        "differences": [
            f"{name}: {word(ours)} (paper: {word(paper)})" for name, (paper, ours) in run.differences().items()
        ],
        "forks": [f"{name}: {word(ours)} (paper: {word(paper)})" for name, (paper, ours) in run.forks().items()],
        "recipe": json.dumps(run.recipe.to_dict(), indent=1),
    }
