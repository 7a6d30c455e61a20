"""What the paper claims of layers, their responses (Fig. 7) and gradients (Sec. 4.1), held against what was measured."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from rescli.analysis.gradients import VANISHED, Gradients, without_variance
from rescli.analysis.responses import Responses
from rescli.analysis.run import Run
from rescli.analysis.verdict import Verdict, answer, counted, points


@dataclass(frozen=True, kw_only=True, eq=False)
class _Net:
    """A net whose responses were measured, and its run; None for weights that are no run: they are compared with their like."""

    found: Responses
    run: Run | None

    @property
    def plain(self) -> bool:
        return self.found.label.startswith("plain")

    @property
    def residual(self) -> bool:
        """VGG nets are neither."""
        return self.found.label.startswith("ResNet")

    @property
    def training(self) -> tuple[str, str]:
        """Equal for nets that may be compared: trained alike in all but depth, kind of net and seed."""
        return self.found.dataset, "" if self.run is None else self.run.beyond_depth()

    @property
    def shortcut(self) -> str | None:
        return None if self.run is None else self.run.recipe.shortcut

    @property
    def depth(self) -> int:
        """As its label says it. Of 3x3 layers, which are measured, bottlenecks have a third of that."""
        digits = re.search(r"-(\d+)", self.found.label)
        return int(digits[1]) if digits else len(self.found.layers)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Seeds:
    """Nets that differ in the seed alone."""

    nets: Sequence[_Net]

    @property
    def first(self) -> _Net:
        return self.nets[0]

    @property
    def median(self) -> float:
        """The mean of their medians."""
        return fmean(one.found.median for one in self.nets)

    def __str__(self) -> str:
        return f"{self.first.found.label} {self.median:.3f}"


def layer_claims(
    responses: Sequence[Responses], gradients: Sequence[Gradients], runs: Iterable[Run] = ()
) -> list[Verdict]:
    """The claims about responses and gradients. `runs` are those whose nets were measured, as far as they are runs.

    Only nets that were trained alike are compared, as everywhere.
    """
    by_path = {str(run.path): run for run in runs}
    nets = [_Net(found=one, run=by_path.get(one.what)) for one in responses if not one.label.endswith("initialization")]
    seeds = _by_seeds(nets)
    return [_smaller_than_plain(seeds), _smaller_with_depth(seeds), _no_vanishing(gradients, by_path)]


def _by_seeds(nets: Iterable[_Net]) -> list[_Seeds]:
    """Shallow to deep."""
    found: dict[object, list[_Net]] = {}
    for one in sorted(nets, key=lambda one: one.depth):
        found.setdefault((one.training, one.shortcut, one.found.label, one.depth), []).append(one)
    return [_Seeds(nets=these) for these in found.values()]


def _smaller_than_plain(nets: Sequence[_Seeds]) -> Verdict:
    pairs = [
        (plain, residual)
        for residual in nets
        for plain in nets
        if plain.first.plain
        and residual.first.residual
        and residual.first.shortcut in (None, "A")
        and (plain.first.training, plain.first.depth) == (residual.first.training, residual.first.depth)
    ]
    return _medians("residual nets have smaller responses than their plain counterparts", pairs)


def _smaller_with_depth(nets: Sequence[_Seeds]) -> Verdict:
    families: dict[object, list[_Seeds]] = {}
    for one in nets:
        if one.first.residual:
            families.setdefault((one.first.training, one.first.shortcut), []).append(one)
    pairs = [
        (shallow, deep)
        for family in families.values()
        for shallow, deep in pairwise(family)
        if shallow.first.depth < deep.first.depth
    ]
    return _medians("the deeper a residual net, the smaller the responses of its layers", pairs)


def _medians(claim: str, pairs: Sequence[tuple[_Seeds, _Seeds]]) -> Verdict:
    """Of each pair the second one is claimed to have the smaller responses."""
    pairs = sorted(pairs, key=lambda pair: [one.first.depth for one in pair])
    return Verdict(
        claim=claim,
        where="Fig. 7",
        answer=answer([points(a.median, b.median) < 0 for a, b in pairs]),
        numbers=tuple(f"median std: {a}, {b} ({counted(len(a.nets), len(b.nets))})" for a, b in pairs),
        caveats=_marks(net.run for pair in pairs for one in pair for net in one.nets),
    )


def _no_vanishing(found: Sequence[Gradients], runs: Mapping[str, Run]) -> Verdict:
    plain = [one for one in found if one.label.startswith("plain")]
    return Verdict(
        claim="the gradients of plain nets with BN do not vanish",
        where="Sec. 4.1",
        answer=answer([one.healthy for one in plain]),
        numbers=tuple(
            f"{one.label}: the smallest gradient of weights ({one.smallest[0]}) is {one.smallest[1]:.2g} of the largest, "
            f"vanished would be below {VANISHED:g} (n = 1){without_variance(one)}"
            for one in plain
        ),
        caveats=_marks(runs.get(one.what) for one in plain),
    )


def _marks(runs: Iterable[Run | None]) -> tuple[str, ...]:
    return tuple(sorted({mark for run in runs if run is not None for mark in run.marks()}))
