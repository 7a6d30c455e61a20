"""Footnote 5: what the warm-up of the 110-layer net does, and whether it is needed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from rescli.analysis.degradation import caveats
from rescli.analysis.groups import Group, group
from rescli.analysis.recipes import experiment
from rescli.analysis.run import Run
from rescli.analysis.verdict import Verdict, answer
from rescli.recipes.cifar import CifarRecipe

SIMILAR = 0.5
"""Points of test error; the paper says "similar" and gives no number."""


def warm_up_claims(runs: Sequence[Run]) -> list[Verdict]:
    """Both sentences of footnote 5."""
    return [_ends(runs), _without(runs)]


def _ends(runs: Iterable[Run]) -> Verdict:
    """About 400 of 64k iterations."""
    warm = [run for run in runs if run.recipe.warms_up]
    ended = [run for run in warm if run.warmup_ended is not None]
    return Verdict(
        claim="a learning rate of 0.01 brings the training error of very deep nets below 80 % after about 400 iterations",
        where="Sec. 4.2, footnote 5",
        answer=answer([(run.warmup_ended or 0) <= run.recipe.iterations / 80 for run in ended]),
        numbers=tuple(f"{run.label}, seed {run.recipe.seed}: after {run.warmup_ended:,} iterations" for run in ended),
        caveats=tuple(sorted({mark for run in ended for mark in run.marks()})),
    )


def _without(runs: Iterable[Run]) -> Verdict:
    """A rate of 0.1 from the start: "it [...] still reaches similar accuracy"."""
    found: dict[str, dict[bool, Group]] = {}
    for one in group(run for run in runs if run.finished and run.recipe.depth == 110 and not run.recipe.plain):
        if one.error is not None:
            found.setdefault(_apart_from_warm_up(one.first), {})[one.first.recipe.warms_up] = one
    pairs = [(both[True], both[False]) for both in found.values() if len(both) == 2]
    held, numbers = [], []
    for warm, cold in pairs:
        assert warm.error is not None
        assert cold.error is not None
        held.append(abs(cold.error - warm.error) <= SIMILAR)
        numbers.append(
            f"with {warm.error:.2f} %, without {cold.error:.2f} % ({cold.error - warm.error:+.2f} points, "
            f"n = {len(warm.runs)} and {len(cold.runs)})"
        )
    return Verdict(
        claim=f"without the warm-up ResNet-110 reaches similar test error (within {SIMILAR:g} points)",
        where="Sec. 4.2, footnote 5",
        answer=answer(held),
        numbers=tuple(numbers),
        caveats=caveats(one for pair in pairs for one in pair),
    )


def _apart_from_warm_up(run: Run) -> str:
    recipe = run.recipe
    assert isinstance(recipe, CifarRecipe)
    return experiment(replace(recipe, warmup=None, warmup_lr=None, warmup_error=None))
