"""Footnote 5: what the warm-up of the 110-layer net does, and whether it is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rescli.analysis.degradation import caveats
from rescli.analysis.groups import Group, group
from rescli.analysis.recipes import experiment
from rescli.analysis.run import Run
from rescli.analysis.verdict import Verdict, answer, counted, points, signed
from rescli.recipes.cifar import CifarRecipe

ABOUT = 400
"""Iterations at a rate of 0.01 after which the training error is below 80 %."""
VERY_DEEP = 110
"""Layers; the paper trains no shallower net with the warm-up."""
SIMILAR = 0.5
"""Points of test error; the paper says "similar" and gives no number."""


def warm_up_claims(runs: Sequence[Run]) -> list[Verdict]:
    """Both sentences of footnote 5."""
    return [_ends(runs), _without(runs)]


def _ends(runs: Iterable[Run]) -> Verdict:
    """Residual nets: "about" is at most twice 400, however long the run is to be: the rate is 0.01 all the while.

    A run that has gone so far and never got there: no.
    """
    most = 2 * ABOUT
    warm = [
        run
        for run in runs
        if _warms_up_as_the_papers(run) and (run.warmup_ended is not None or (run.finished and run.iteration >= most))
    ]
    found = [(run, run.warmup_ended) for run in warm]
    return Verdict(
        claim="a learning rate of 0.01 brings the training error of very deep nets below 80 % after about 400 iterations",
        where="Sec. 4.2, footnote 5",
        answer=answer([ended is not None and ended <= most for _, ended in found]),
        numbers=tuple(
            f"{run.label}, seed {run.recipe.seed}: "
            + (f"never in {run.iteration:,} iterations" if ended is None else f"after {ended:,} iterations")
            + f" (yes: at most {most:,})"
            for run, ended in found
        ),
        caveats=tuple(sorted({mark for run in warm for mark in run.marks()})),
    )


def _warms_up_as_the_papers(run: Run) -> bool:
    recipe = run.recipe
    return (
        isinstance(recipe, CifarRecipe)
        and recipe.warms_up
        and not recipe.plain
        and recipe.depth >= VERY_DEEP
        and not any(name.startswith("warmup") for name in run.differences())
    )


def _without(runs: Iterable[Run]) -> Verdict:
    """A rate of 0.1 from the start: "it [...] still reaches similar accuracy"."""
    found: dict[str, dict[bool, Group]] = {}
    for one in group(run for run in runs if run.finished and run.recipe.depth == 110 and not run.recipe.plain):
        recipe = one.first.recipe
        if one.error is not None and (not recipe.warms_up or _warms_up_as_the_papers(one.first)):
            found.setdefault(_apart_from_warm_up(one.first), {})[one.first.recipe.warms_up] = one
    pairs = [(both[True], both[False]) for both in found.values() if len(both) == 2]
    held, numbers = [], []
    for warm, cold in pairs:
        assert warm.error is not None
        assert cold.error is not None
        more = points(warm.error, cold.error)
        held.append(abs(more) <= SIMILAR)
        numbers.append(
            f"with {warm.error:.2f} %, without {cold.error:.2f} % ({signed(more, SIMILAR)}, "
            f"{counted(len(warm.runs), len(cold.runs))})"
        )
    return Verdict(
        claim=f"without the warm-up ResNet-110 reaches similar test error (within {SIMILAR:g} points)",
        where="Sec. 4.2, footnote 5",
        answer=answer(held),
        numbers=tuple(numbers),
        caveats=tuple(
            mark for mark in caveats(one for pair in pairs for one in pair) if not mark.startswith("warmup")
        ),  # that is what the claim is about
    )


def _apart_from_warm_up(run: Run) -> str:
    recipe = run.recipe
    assert isinstance(recipe, CifarRecipe)
    return experiment(replace(recipe, warmup=None, warmup_lr=None, warmup_error=None))
