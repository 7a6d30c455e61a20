"""The learning rate of every iteration (Sec. 3.4 and 4.2)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Plateau:
    """Sec. 3.4: the learning rate "is divided by 10 when the error plateaus".

    The paper says no more. Here: when `patience` evaluations in a row have not brought the validation error more than `least`
    percentage points below the last one that had made such progress (at first: the first one), at most `drops` times in a run.
    """

    patience: int
    least: float
    drops: int

    def within(self, evaluations: int) -> bool:
        """Whether so many evaluations may find a plateau: the first has none before it, nothing follows the last."""
        return evaluations >= self.patience + 2


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """A constant learning rate divided at milestones, after a warm-up that ends when the training error has fallen.

    "We start with a learning rate of 0.1, divide it by 10 at 32k and 48k iterations, and terminate training at 64k." For
    n = 18: "0.01 to warm up the training until the training error is below 80% (about 400 iterations), and then go back".
    The paper does not say over how many images that error is taken; here it is over windows of `warmup_window`
    iterations, 1/640 of the run (100 of 64k), and a warm-up ends at the end of a window.
    """

    iterations: int
    learning_rate: float
    milestones: tuple[int, ...]
    divisor: float
    warmup_lr: float | None = None
    warmup_error: float = 80.0
    warmup_window: int = 1
    plateau: Plateau | None = None

    def at(self, iteration: int, *, warming_up: bool = False, drops: int = 0) -> float:
        """The learning rate of `iteration` (counted from 0), after so many drops by the rule for plateaus."""
        passed = sum(iteration >= milestone for milestone in self.milestones) + drops
        try:
            rate = self.learning_rate / self.divisor**passed
        except OverflowError:  # of a power; nothing is left of the rate then
            rate = 0.0
        # A net that never gets below the error is not held above the schedule for it.
        return min(rate, self.warmup_lr) if warming_up and self.warmup_lr is not None else rate

    def ends_warmup(self, error: float) -> bool:
        """Whether a training error (in %) over a window ends the warm-up."""
        return error < self.warmup_error
