"""What the paper claims of its CIFAR nets, each claim held against the runs at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from rescli.analysis.claims_layers import layer_claims
from rescli.analysis.claims_warmup import warm_up_claims
from rescli.analysis.degradation import caveats, degradation, in_points
from rescli.analysis.gradients import Gradients
from rescli.analysis.groups import Group, group
from rescli.analysis.responses import Responses
from rescli.analysis.run import Run
from rescli.analysis.verdict import Verdict, answer, points, signed, told
from rescli.profiling.paper import MEAN_110, TABLE6

PLAIN_110 = 60.0
"""Sec. 4.2: of the plain net with 110 layers "the error is higher than 60%"."""
FITTED = 0.1
"""Sec. 4.2: the 1202-layer net "is able to achieve training error <0.1%"."""
CLOSE = 0.5
"""Points of test error within which Table 6 is called reproduced; the paper's own seeds of 110 layers are 0.16 apart."""


def claims(
    runs: Sequence[Run], responses: Sequence[Responses] = (), gradients: Sequence[Gradients] = ()
) -> list[Verdict]:
    """Every claim of Secs. 1, 4.1 and 4.2 that CIFAR runs can speak to, with the verdict of these.

    Of `responses` and `gradients`, which may be of any nets, the runs say which are to be compared.
    """
    everything, runs = runs, [run for run in runs if not run.imagenet]
    groups = [one for one in group(runs) if one.first.finished]
    return [
        *degradation(runs),
        _of_one_net(
            groups,
            "the plain net with 110 layers stays above 60 % error",
            "Fig. 6 left",
            lambda one: one.first.recipe.plain and one.first.recipe.depth == 110,
            lambda one: ("training error", one.train_error, (one.train_error or 0.0) > PLAIN_110),
            PLAIN_110,
        ),
        _of_one_net(
            groups,
            "the 1202-layer net fits the training set (training error < 0.1 %)",
            "Sec. 4.2",
            lambda one: not one.first.recipe.plain and one.first.recipe.depth == 1202,
            lambda one: ("training error", one.train_error, one.train_error is not None and one.train_error < FITTED),
            FITTED,
        ),
        _close(groups),
        _overfits(groups),
        *warm_up_claims(runs),
        *layer_claims(responses, gradients, everything),
    ]


def _of_one_net(
    groups: Iterable[Group],
    claim: str,
    where: str,
    which: Callable[[Group], bool],
    look: Callable[[Group], tuple[str, float | None, bool]],
    edge: float,
) -> Verdict:
    looked = [(one, *look(one)) for one in groups if which(one)]
    found = [(one, what, value, held) for one, what, value, held in looked if value is not None]
    return Verdict(
        claim=claim,
        where=where,
        answer=answer([held for *_, held in found]),
        numbers=tuple(
            f"{one.first.label}: {what} {told(value, edge)} %, n = {len(one.train_errors)}"
            for one, what, value, _ in found
        ),
        caveats=caveats(one for one, *_ in found),
    )


def _close(groups: Sequence[Group]) -> Verdict:
    """Runs of the paper's own recipe and length; of the 110-layer net the paper's mean counts, not its best run."""
    held, numbers, used = [], [], []
    for one in groups:
        recipe = one.first.recipe
        if recipe.plain or recipe.depth not in TABLE6 or recipe.depth > 110 or one.first.differences():
            continue
        if one.error is not None:
            paper = MEAN_110 if recipe.depth == 110 else TABLE6[recipe.depth][1]
            more = points(paper, one.error)
            held.append(abs(more) <= CLOSE)
            numbers.append(
                f"{one.first.label} {one.error:.2f} %, the paper's {paper:.2f} % "
                f"({signed(more, CLOSE)}, n = {len(one.errors)})"
            )
            used.append(one)
    return Verdict(
        claim=f"test errors with up to 110 layers are Table 6's within {CLOSE:g} points",
        where="Table 6",
        answer=answer(held),
        numbers=tuple(numbers),
        caveats=caveats(used),
    )


def _overfits(groups: Sequence[Group]) -> Verdict:
    """Table 6: 7.93 % with 1202 layers, 6.43 % with 110."""
    held, numbers, used = [], [], []
    residual = [one for one in groups if not one.first.recipe.plain and one.error is not None]
    for deep in [one for one in residual if one.first.recipe.depth == 1202]:
        for other in [one for one in residual if one.first.recipe.depth == 110]:
            if _alike(other.first, deep.first):
                assert deep.error is not None
                assert other.error is not None
                held.append(points(other.error, deep.error) > 0)
                numbers.append(in_points(other, deep, other.errors, deep.errors))
                used += [deep, other]
    return Verdict(
        claim="the 1202-layer net has higher test error than the one with 110 layers",
        where="Fig. 6 right, Table 6",
        answer=answer(held),
        numbers=tuple(numbers),
        caveats=caveats(used),
    )


def _alike(a: Run, b: Run) -> bool:
    return (a.beyond_depth(), a.recipe.shortcut) == (b.beyond_depth(), b.recipe.shortcut)
