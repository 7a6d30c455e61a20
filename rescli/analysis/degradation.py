"""Does error grow with depth? "with the network depth increasing, accuracy gets saturated [...] and then degrades" (Sec. 1)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from statistics import fmean
from typing import Any

from rescli.analysis.claims_imagenet import depth_claims
from rescli.analysis.evidence import Evidence, of_run
from rescli.analysis.groups import Group, group
from rescli.analysis.run import Run
from rescli.analysis.table import TRAINING_ERROR, Footnotes, Table, spread
from rescli.analysis.verdict import Verdict, answer, counted, points, signed

Errors = Callable[[Group], list[float]]
"""Those of a group's runs that are averaged."""


def degradation_table(runs: Iterable[Run]) -> Table:
    """Training and test error of every net by depth, plain nets and residual ones, finished runs of one recipe together."""
    notes = Footnotes()
    rows, exact = [], []
    for one in group(runs):
        first = one.first
        rows.append(
            (
                first.label,
                str(first.recipe.depth),
                str(len(one.runs)),
                spread(one.train_errors),
                spread(one.errors),
                notes.mark(one.marks),
            )
        )
        exact.append({**one.to_dict(), "train_errors": one.train_errors, "errors": one.errors})
    return Table(
        title="Error against depth",
        columns=("net", "layers", "n", "training error (%)", "test error (%)", "note"),
        rows=tuple(rows),
        exact=tuple(exact),
        notes=(TRAINING_ERROR, *notes.lines()),
        right=(1, 2, 3, 4),
    )


def degradation(runs: Iterable[Run]) -> list[Verdict]:
    """The paper's claims about depth, each held against all pairs of neighbouring depths that only depth tells apart.

    Only finished runs count, and only nets whose recipes agree in everything but depth, kind of net and seed are compared.
    Those of CIFAR nets (Sec. 4.2); where there are ImageNet runs, theirs too (Sec. 4.1).
    """
    runs = list(runs)
    photographs = Evidence(entries=tuple(one for run in runs if run.imagenet for one in of_run(run)))
    others = [run for run in runs if not run.imagenet]
    return [
        *(_on_cifar(others) if others or not photographs else []),
        *(depth_claims(photographs) if photographs else []),
    ]


def _on_cifar(runs: Iterable[Run]) -> list[Verdict]:
    families = _families(runs)
    return [
        _deeper(
            [family for family in families if family[0].first.recipe.plain],
            "deeper plain nets have higher training error",
            "Fig. 1, Fig. 6 left",
            lambda one: one.train_errors,
            worse=True,
        ),
        _deeper(
            [family for family in families if family[0].first.recipe.plain],
            "deeper plain nets have higher test error",
            "Fig. 1, Fig. 6 left",
            lambda one: one.errors,
            worse=True,
        ),
        _deeper(
            [family for family in families if not family[0].first.recipe.plain],
            "deeper residual nets have lower test error",
            "Fig. 6 middle, Table 6",
            lambda one: one.errors if one.first.recipe.depth < 1000 else [],
            worse=False,
        ),
        _plain_against_residual(families),
    ]


def _families(runs: Iterable[Run]) -> list[list[Group]]:
    """Groups of finished runs by everything but depth, shallow to deep; plain and residual nets apart."""
    found: dict[Any, list[Group]] = {}
    for one in group(run for run in runs if run.finished):
        recipe = one.first.recipe
        found.setdefault((one.first.beyond_depth(), recipe.plain, recipe.shortcut), []).append(one)
    return [sorted(family, key=lambda one: one.first.recipe.depth) for family in found.values()]


def _deeper(families: Sequence[Sequence[Group]], claim: str, where: str, errors: Errors, *, worse: bool) -> Verdict:
    held, numbers, used = [], [], []
    for family in families:
        known = [one for one in family if errors(one)]
        for shallow, deep in pairwise(known):
            a, b = (fmean(errors(one)) for one in (shallow, deep))
            held.append(points(a, b) > 0 if worse else points(a, b) < 0)
            numbers.append(in_points(shallow, deep, errors(shallow), errors(deep)))
            used += [shallow, deep]
    return Verdict(claim=claim, where=where, answer=answer(held), numbers=tuple(numbers), caveats=caveats(used))


def _plain_against_residual(families: Sequence[Sequence[Group]]) -> Verdict:
    """At each depth; the paper's gain grows with depth."""
    by_net = {
        (one.first.beyond_depth(), one.first.recipe.plain, one.first.recipe.depth): one
        for family in families
        for one in family
        if one.first.recipe.shortcut in (None, "A")
    }
    held, numbers, used = [], [], []
    for (recipe, plain, depth), one in sorted(by_net.items(), key=lambda item: item[0][2]):
        other = by_net.get((recipe, True, depth))
        if plain or other is None or one.error is None or other.error is None:
            continue
        held.append(points(other.error, one.error) < 0)
        numbers.append(in_points(other, one, other.errors, one.errors))
        used += [one, other]
    return Verdict(
        claim="a residual net has lower test error than its plain counterpart",
        where="Sec. 4.1, Fig. 6",
        answer=answer(held),
        numbers=tuple(numbers),
        caveats=caveats(used),
    )


def caveats(used: Iterable[Group]) -> tuple[str, ...]:
    """What of these runs is not as in the paper."""
    return tuple(sorted({mark for one in used for mark in one.marks}))


def in_points(a: Group, b: Group, of_a: Sequence[float], of_b: Sequence[float]) -> str:
    """Two nets and the means of their errors: "plain-20 9.40 %, plain-56 12.50 % (+3.10 points, n = 2)"."""
    mean_a, mean_b = fmean(of_a), fmean(of_b)
    more = f"{signed(points(mean_a, mean_b))}, {counted(len(of_a), len(of_b))}"
    return f"{a.first.label} {mean_a:.2f} %, {b.first.label} {mean_b:.2f} % ({more})"
