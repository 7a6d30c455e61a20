"""Table 5: ensembles, top-5 error; the paper's on the test set of ImageNet."""

from __future__ import annotations

from typing import Any

from rescli.analysis.evidence import Evidence, trained
from rescli.analysis.predicted import Predicted
from rescli.analysis.run import Run
from rescli.analysis.table import Footnotes, Table
from rescli.analysis.table234_rules import KINDS, images_of, no_top5, precision_of, unlike
from rescli.profiling.paper import MEMBERS, TABLE5


def refused(one: Run | Predicted) -> str | None:
    """Why Table 5 cannot use this; None where it can."""
    if isinstance(one, Run) and not one.imagenet:
        return "a CIFAR run: Table 5 is of ImageNet nets"
    if isinstance(one, Run) or one.single:
        return "one network: `rescli eval ensemble A B ... --predictions E.h5` makes an ensemble"
    return None


def table5(found: Evidence) -> Table:
    """Every row of the paper's, and ours below: the mean of several networks' scores."""
    notes = Footnotes()
    rows = [(one.method, "", "", one.text("top5"), "") for one in TABLE5]
    exact: list[dict[str, Any]] = [{"net": one.method, "paper_top5": one.top5} for one in TABLE5]
    for one in found.ensembles:
        marks, test = marks_of(one), one.test
        top5 = "" if test.top5 is None else f"{test.top5:.2f}"
        rows.append((one.label, str(len(one.specs)), top5, "", notes.mark(marks)))
        exact.append(
            {
                "net": one.label,
                "networks": len(one.specs),
                "top5": test.top5,
                "top1": test.top1,
                "images": test.images,
                "classes": test.classes,
                "split": test.split,
                "views": one.views,
                "marks": list(marks),
                "files": [str(one.path)],
            }
        )
    return Table(
        title="Table 5",
        columns=("method", "networks", "top-5 error (%)", "paper, test set (%)", "note"),
        rows=tuple(rows),
        exact=tuple(exact),
        notes=(
            "the paper's errors are of the test set, ours of the images that were tested",
            *notes.lines(),
            *found.joined_twice,
        ),
        right=(1, 2, 3),
    )


def marks_of(one: Predicted) -> tuple[str, ...]:
    """What keeps an ensemble from standing beside the paper's, in words."""
    count, test = len(one.specs), one.test
    marks = [] if count == MEMBERS else [f"{count} networks (paper: {MEMBERS}, of different depths)"]
    various = one.views in ("", "various")
    if test.scales and not various:
        marks += unlike(KINDS[4], test)
    else:
        shown = "its members were shown various views" if various else one.views
        marks += [shown, *precision_of(test), *images_of(test), *no_top5(test)]
    training = [
        mark
        for spec, recipe, iteration in zip(one.specs, one.recipes, one.iterations, strict=True)
        for mark in trained(spec, recipe, iteration)
    ]
    return tuple(dict.fromkeys([*marks, *training]))
