"""Networks of ImageNet by one measure of their error, seeds together, so that two of them can be compared."""

from __future__ import annotations

from dataclasses import dataclass

from rescli.analysis.evidence import Entry, Evidence
from rescli.analysis.table234_rules import images_of

TESTS = ("10-crop top-1", "multi-scale top-1", "center-crop validation")
"""Measures of the error, the one that Table 2 takes first. A pair of nets is compared by the first one that both have."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Net:
    """A network by one measure: errors in % of its seeds. Nets of equal `key` were trained and tested alike."""

    entry: Entry
    key: str
    errors: tuple[float, ...]
    caveats: tuple[str, ...]

    @property
    def depth(self) -> int:
        """Number of weighted layers."""
        return self.entry.spec.depth

    @property
    def error(self) -> float:
        """The mean over seeds."""
        return sum(self.errors) / len(self.errors)


def nets_by(found: Evidence, measure: str) -> list[Net]:
    """All networks that were trained to the end, by one measure, shallow to deep; seeds of one experiment together."""
    gathered: dict[tuple[str, str], list[tuple[Entry, float, tuple[str, ...]]]] = {}
    for one in found.entries:
        if not one.complete:
            continue
        key, value, caveats = _measured(one, measure)
        if value is not None:
            same = gathered.setdefault((one.experiment, key), [])
            if one.path not in [entry.path for entry, *_ in same]:  # a run with several tests has one curve
                same.append((one, value, caveats))
    nets = [
        Net(
            entry=same[0][0],
            key=key,
            errors=tuple(value for _, value, _ in same),
            caveats=tuple(mark for entry, _, caveats in same for mark in (*entry.training, *caveats)),
        )
        for (_, key), same in gathered.items()
    ]
    return sorted(nets, key=lambda net: net.depth)


def _measured(one: Entry, measure: str) -> tuple[str, float | None, tuple[str, ...]]:
    """What must be equal for a comparison, the error in %, and what of the test is not the paper's."""
    run, test = one.run, one.test
    if measure == "training":
        return one.beyond_depth, run.train_error if run else None, ()
    if measure == "center-crop validation":
        return one.beyond_depth, run.error if run else None, ()
    fits = test is not None and (bool(test.scales) if measure == "multi-scale top-1" else test.crops == 10)
    if test is None or not fits or test.split == "train":  # the claims are about images that no net was trained on
        return one.beyond_depth, None, ()
    return f"{one.beyond_depth} {test.alike}", test.top1, images_of(test)
