"""Tables of what a study found, beside the paper's values."""

from __future__ import annotations

from collections.abc import Sequence

from rescli.analysis.gradients import VANISHED, Gradients
from rescli.analysis.groups import group
from rescli.analysis.responses import Responses
from rescli.analysis.run import Run
from rescli.analysis.table import TRAINING_ERROR, Footnotes, Table, spread
from rescli.analysis.table6 import forks_line, paper_error
from rescli.recipes.cifar import CifarRecipe
from rescli.words import markdown_row


def error_table(runs: Sequence[Run], title: str) -> Table:
    """Training and test error of every net, mean±std over seeds, and the error that Table 6 prints for it."""
    notes = Footnotes()
    rows, exact = [], []
    groups = group(runs)
    for one in groups:
        first = one.first
        marks = sorted({mark for run in one.runs for mark in run.marks()})
        rows.append(
            (
                _label(first),
                str(len(one.runs)),
                spread(one.train_errors),
                spread(one.errors),
                paper_error(one) or "",
                notes.mark(marks),
            )
        )
        exact.append(
            {
                **one.to_dict(),
                "train_errors": one.train_errors,
                "errors": one.errors,
                "paper": paper_error(one),
            }
        )
    return Table(
        title=title,
        columns=("net", "n", "training error (%)", "test error (%)", "paper (%)", "note"),
        rows=tuple(rows),
        exact=tuple(exact),
        notes=(
            TRAINING_ERROR,
            *notes.lines(),
            *forks_line(groups),
        ),
        right=(1, 2, 3, 4),
    )


def _label(run: Run) -> str:
    """As `Net.label`: the net of footnote 5 without its rule is another row of the warm-up's table."""
    usual = CifarRecipe(depth=run.recipe.depth, plain=run.recipe.plain).warms_up
    return run.label + (" without warm-up" if usual and not run.recipe.warms_up else "")


def response_table(found: Sequence[Responses], title: str) -> Table:
    """Median, smallest and largest standard deviation over the 3x3 layers of every net; Fig. 7 prints no numbers."""
    rows = [(one.label, len(one.layers), one.median, float(one.std.min()), float(one.std.max())) for one in found]
    names = ("run", "net", "layers", "median_std", "smallest_std", "largest_std")
    over = ", ".join(dict.fromkeys(f"{one.images:,} {one.split} images in {one.precision}" for one in found))
    return Table(
        title=title,
        columns=("net", "3x3 layers", "median std", "smallest", "largest"),
        rows=tuple((label, str(layers), *(f"{value:.3f}" for value in values)) for label, layers, *values in rows),
        exact=tuple(dict(zip(names, (one.what, *row), strict=True)) for one, row in zip(found, rows, strict=True)),
        notes=(f"outputs of each 3x3 layer, after BN and before ReLU or addition; over {over}",),
        right=(1, 2, 3, 4),
    )


def gradient_table(found: Sequence[Gradients], title: str) -> Table:
    """The layer with the smallest gradient of every net, in parts of the largest; the paper prints no numbers."""
    names = ("run", "net", "smallest_at", "of_the_largest", "smallest_variance", "healthy")
    rows = [(one.label, *one.smallest, min(layer.variance for layer in one.layers), one.healthy) for one in found]
    over = ", ".join(dict.fromkeys(f"{one.batches} batches of {one.batch_size} images" for one in found))
    return Table(
        title=title,
        columns=("net", "smallest gradient at", "of the largest", "smallest forward variance", "healthy"),
        rows=tuple(
            (label, layer, f"{ratio:.2g}", f"{variance:.2g}", "yes" if healthy else "no")
            for label, layer, ratio, variance, healthy in rows
        ),
        exact=tuple(dict(zip(names, (one.what, *row), strict=True)) for one, row in zip(found, rows, strict=True)),
        notes=(f"over {over}; a gradient is called vanished below {VANISHED:g} of the largest layer's",),
        right=(2, 3),
    )


def table_markdown(table: Table) -> str:
    """A table and its notes in Markdown."""
    right = set(table.right)
    lines = [
        markdown_row(table.columns),
        "|" + "|".join("---:" if number in right else "---" for number in range(len(table.columns))) + "|",
        *(markdown_row(row) for row in table.rows),
    ]
    return "\n".join([*lines, *([""] if table.notes else []), *(f"- {note}" for note in table.notes)])
