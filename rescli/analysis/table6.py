"""Table 6: classification error on the CIFAR-10 test set, from runs, beside the paper's."""

from __future__ import annotations

from collections.abc import Iterable

from rescli.analysis.groups import Group, group
from rescli.analysis.run import Run
from rescli.analysis.table import Footnotes, Table, mean_std
from rescli.profiling.paper import BEST_110, OTHERS6, TABLE6, short
from rescli.recipes.cifar import WARMUP_FROM_DEPTH


def table6(runs: Iterable[Run]) -> Table:
    """Method, layers, parameters, error: best (mean +- std) over seeds of equal recipes, and the paper's value.

    What was not trained as in the paper, or not to its end, has a row of its own and says so below. ImageNet runs have none.
    """
    groups = group(run for run in runs if not run.imagenet)
    notes = Footnotes()
    rows: list[tuple[str, ...]] = [
        (name, str(depth or ""), short(count) if count else "", "", "", error, "")
        for name, depth, count, error in OTHERS6
    ]
    rows += [_row(one, notes) for one in groups]
    best = sorted({one.first.tested for one in groups if len(one.errors) > 1})
    which = f"best of n seeds by {' and '.join(best)} error (mean±std); " if best else ""
    exact = [
        {"method": name, "depth": depth, "parameters": count, "paper": error} for name, depth, count, error in OTHERS6
    ]
    return Table(
        title="Table 6",
        columns=("method", "layers", "parameters", "n", "error (%)", "paper (%)", "note"),
        rows=tuple(rows),
        exact=(*exact, *({"method": method(one), **one.to_dict(), "paper": paper_error(one)} for one in groups)),
        notes=(f"error: {which}in %, of the last evaluation of a run", *notes.lines(), *forks_line(groups)),
        right=(1, 2, 3, 4, 5),
    )


def method(one: Group) -> str:
    """As Table 6 calls it; options that are not the paper's are named."""
    recipe = one.first.recipe
    if recipe.plain:
        return "plain"
    return "ResNet" if recipe.shortcut == "A" else f"ResNet ({recipe.shortcut})"


def paper_error(one: Group) -> str | None:
    """What Table 6 prints for this net, None where it prints nothing."""
    recipe = one.first.recipe
    if recipe.plain or recipe.shortcut != "A" or recipe.depth not in TABLE6 or recipe.dataset != "cifar10":
        return None
    if recipe.depth >= WARMUP_FROM_DEPTH and not recipe.warms_up:  # footnote 5 says "similar", and no number
        return None
    return BEST_110 if recipe.depth == 110 else f"{TABLE6[recipe.depth][1]:.2f}"


def _row(one: Group, notes: Footnotes) -> tuple[str, ...]:
    first = one.first
    return (
        method(one),
        str(first.recipe.depth),
        f"{first.parameters / 1e6:.2f}M" if first.parameters < 1e6 else f"{first.parameters / 1e6:.1f}M",
        str(len(one.errors)),
        mean_std(one.errors),
        paper_error(one) or "",
        notes.mark(one.marks),
    )


def forks_line(groups: Iterable[Group]) -> tuple[str, ...]:
    """One line on what this implementation does otherwise, over all runs."""
    found: dict[str, set[str]] = {}
    for one in groups:
        for name, (paper, ours) in one.first.forks().items():
            found.setdefault(f"{name} (paper: {paper})", set()).add(str(ours))
    listed = "; ".join(f"{name}: {', '.join(sorted(values))}" for name, values in found.items())
    return (f"forks of the implementation: {listed}",) if listed else ()
