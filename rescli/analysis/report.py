"""One page with everything that some runs can show: self-contained HTML, for a screen of any size and for paper."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

import rescli
from rescli.analysis.claims import claims
from rescli.analysis.claims_imagenet import claims_imagenet
from rescli.analysis.claims_layers import layer_claims
from rescli.analysis.collect import Collection
from rescli.analysis.degradation import degradation_table
from rescli.analysis.evidence import Evidence, evidence
from rescli.analysis.measured import Measured
from rescli.analysis.recipes import word
from rescli.analysis.report_figures import Shown, figure4, figures, of_layers
from rescli.analysis.run import Run
from rescli.analysis.table import Footnotes, Table
from rescli.analysis.table5 import table5
from rescli.analysis.table6 import table6
from rescli.analysis.table234 import single_models
from rescli.analysis.table234_rules import KINDS
from rescli.analysis.verdict import Verdict


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the page."""

    title: str
    verdicts: tuple[Verdict, ...] = ()
    figures: tuple[Shown, ...] = ()
    tables: tuple[Table, ...] = ()


def report(found: Collection, measured: Measured, *, title: str, known: Evidence | None = None) -> str:
    """The page as HTML text: a section for CIFAR nets, one for ImageNet nets, of each only if there is something.

    Equal runs give equal pages. `known` is `evidence(found)`, where that is there already.
    """
    runs = found.runs
    environment = Environment(loader=PackageLoader("rescli.analysis"), autoescape=True, undefined=StrictUndefined)
    environment.filters["word"] = word
    return environment.get_template("report.html").render(
        title=title,
        version=rescli.__version__,
        runs=runs,
        skipped=found.skipped,
        sections=sections(found, measured, evidence(found) if known is None else known),
        notes=measured.notes,
        provenance=[_provenance(run) for run in runs],
    )


def sections(found: Collection, measured: Measured, known: Evidence) -> list[Section]:
    """What was trained on CIFAR, and on ImageNet: of each only if there is something. Then all runs in two tables."""
    cifar = any(not run.imagenet for run in found.runs)
    photographs = [run for run in found.runs if run.imagenet]
    made = [of_cifar(found.runs, measured)] if cifar else []
    if not cifar and measured.responses:  # the layers of ImageNet nets
        judged = layer_claims(measured.responses, measured.gradients, found.runs)
        made.append(Section(title="Layers", verdicts=tuple(judged), figures=tuple(of_layers(measured))))
    made += [of_imagenet(photographs, known)] if known else []
    if found.runs:
        made.append(Section(title="All runs", tables=(run_table(found.runs), degradation_table(found.runs))))
    return made


def of_cifar(runs: Sequence[Run], measured: Measured) -> Section:
    """Table 6, Figs. 1, 6 and 7, and the claims of Secs. 1 and 4.2; `runs` may hold others than CIFAR's."""
    cifar = [run for run in runs if not run.imagenet]
    return Section(
        title="CIFAR",
        verdicts=tuple(claims(runs, measured.responses, measured.gradients)),
        figures=(*figures(cifar), *of_layers(measured)),
        tables=(table6(cifar),),
    )


def of_imagenet(runs: Sequence[Run], known: Evidence) -> Section:
    """Tables 2 to 5, Fig. 4 and the claims of Sec. 4.1."""
    tables = [single_models(number, known) for number in KINDS]
    return Section(
        title="ImageNet",
        verdicts=tuple(claims_imagenet(known)),
        figures=tuple(figure4(runs)),
        tables=(*tables, *([table5(known)] if known.ensembles else [])),
    )


def verdicts_of(found: Collection, measured: Measured, known: Evidence) -> list[Verdict]:
    """Those of the page."""
    cifar = any(not run.imagenet for run in found.runs)
    both = measured.responses, measured.gradients
    layers = layer_claims(*both, found.runs) if measured.responses else []
    verdicts = claims(found.runs, *both) if cifar else layers
    return [*verdicts, *(claims_imagenet(known) if known else [])]


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


def _provenance(run: Run) -> dict[str, Any]:
    last = run.last_session
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
