"""What the paper claims of layers, their responses (Fig. 7) and gradients (Sec. 4.1), held against what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rescli.analysis.gradients import VANISHED, Gradients
from rescli.analysis.responses import Responses
from rescli.analysis.run import Run
from rescli.analysis.verdict import Verdict, answer


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

    def __str__(self) -> str:
        return f"{self.found.label} {self.found.median:.3f}"


def layer_claims(
    responses: Sequence[Responses], gradients: Sequence[Gradients], runs: Iterable[Run] = ()
) -> list[Verdict]:
    """The claims about responses and gradients. `runs` are those whose nets were measured, as far as they are runs.

    Only nets that were trained alike are compared, as everywhere.
    """
    by_path = {str(run.path): run for run in runs}
    nets = [_Net(found=one, run=by_path.get(one.what)) for one in responses if not one.label.endswith("initialization")]
    return [_smaller_than_plain(nets), _smaller_with_depth(nets), _no_vanishing(gradients, by_path)]


def _smaller_than_plain(nets: Sequence[_Net]) -> Verdict:
    pairs = [
        (plain, residual)
        for residual in nets
        for plain in nets
        if plain.plain
        and residual.residual
        and (plain.training, len(plain.found.layers)) == (residual.training, len(residual.found.layers))
    ]
    return _medians("residual nets have smaller responses than their plain counterparts", pairs)


def _smaller_with_depth(nets: Sequence[_Net]) -> Verdict:
    families: dict[object, list[_Net]] = {}
    for one in sorted(nets, key=lambda one: len(one.found.layers)):
        if one.residual:
            families.setdefault((one.training, one.shortcut), []).append(one)
    pairs = [
        (shallow, deep)
        for family in families.values()
        for shallow, deep in pairwise(family)
        if len(shallow.found.layers) < len(deep.found.layers)
    ]
    return _medians("the deeper a residual net, the smaller the responses of its layers", pairs)


def _medians(claim: str, pairs: Sequence[tuple[_Net, _Net]]) -> Verdict:
    """Of each pair the second one is claimed to have the smaller responses."""
    pairs = sorted(pairs, key=lambda pair: [len(one.found.layers) for one in pair])
    return Verdict(
        claim=claim,
        where="Fig. 7",
        answer=answer([b.found.median < a.found.median for a, b in pairs]),
        numbers=tuple(f"median std: {a}, {b} (n = 1)" for a, b in pairs),
        caveats=_marks(one.run for pair in pairs for one in pair),
    )


def _no_vanishing(found: Sequence[Gradients], runs: Mapping[str, Run]) -> Verdict:
    plain = [one for one in found if one.label.startswith("plain")]
    return Verdict(
        claim="the gradients of plain nets with BN do not vanish",
        where="Sec. 4.1",
        answer=answer([one.healthy for one in plain]),
        numbers=tuple(
            f"{one.label}: the smallest gradient of weights ({one.smallest[0]}) is {one.smallest[1]:.2g} of the largest, "
            f"vanished would be below {VANISHED:g} (n = 1)"
            for one in plain
        ),
        caveats=_marks(runs.get(one.what) for one in plain),
    )


def _marks(runs: Iterable[Run | None]) -> tuple[str, ...]:
    return tuple(sorted({mark for run in runs if run is not None for mark in run.marks()}))
