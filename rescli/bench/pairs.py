"""Two rivals in turns on one machine: whatever else slows it down meets both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A median with the quartiles around it, of so many samples."""

    median: float
    low: float
    high: float
    n: int

    @classmethod
    def of(cls, values: list[float]) -> Spread:
        """Of at least one value."""
        low, _, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else (values[0],) * 3
        return cls(median=median(values), low=low, high=high, n=len(values))

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return vars(self)


@dataclass(frozen=True, kw_only=True)
class Duel:
    """Seconds that each sample of ours and of theirs took; sample by sample they ran one right after the other."""

    ours: tuple[float, ...]
    theirs: tuple[float, ...]

    def ratio(self) -> Spread:
        """How many times as fast we are, pair by pair."""
        return Spread.of([their / our for our, their in zip(self.ours, self.theirs, strict=True)])

    def rates(self, amount: float) -> tuple[Spread, Spread]:
        """So much done in each sample, as an amount per second: ours and theirs."""
        return Spread.of([amount / s for s in self.ours]), Spread.of([amount / s for s in self.theirs])


def duel(ours: Callable[[], float], theirs: Callable[[], float], *, pairs: int) -> Duel:
    """`pairs` samples of each, in turns; who begins changes from pair to pair. Each callable returns its seconds.

    One sample of each runs before and is not counted: caches, allocators and worker processes start up in it.
    """
    ours()
    theirs()
    mine: list[float] = []
    others: list[float] = []
    for number in range(pairs):
        for side, into in ((ours, mine), (theirs, others)) if number % 2 == 0 else ((theirs, others), (ours, mine)):
            into.append(side())
    return Duel(ours=tuple(mine), theirs=tuple(others))
