"""Runs grouped by equal recipes: seeds of one experiment."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from rescli.analysis.run import Run
from rescli.analysis.table import deviation


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Runs that differ in the seed alone, and are all finished or all not."""

    runs: tuple[Run, ...]

    @property
    def first(self) -> Run:
        """One that stands for all where only the recipe matters."""
        return self.runs[0]

    @property
    def errors(self) -> list[float]:
        """Final test (or validation) errors in %."""
        return [run.error for run in self.runs if run.error is not None]

    @property
    def train_errors(self) -> list[float]:
        """Final training errors in %; see `Run.train_error`."""
        return [run.train_error for run in self.runs if run.train_error is not None]

    @property
    def error(self) -> float | None:
        """The mean test error."""
        return _mean(self.errors)

    @property
    def train_error(self) -> float | None:
        """The mean training error."""
        return _mean(self.train_errors)

    @property
    def marks(self) -> list[str]:
        """What keeps any of them from standing beside the paper's, and one another."""
        return sorted({mark for run in self.runs for mark in run.marks()} | set(self.repeated))

    @property
    def repeated(self) -> tuple[str, ...]:
        """In words, the seeds that several of the runs have: one may be a copy of the other."""
        seeds = Counter(run.recipe.seed for run in self.runs)
        return tuple(f"{count} runs of seed {seed}: is one a copy?" for seed, count in seeds.items() if count > 1)

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        first, errors = self.first, self.errors
        return {
            "label": first.label,
            "depth": first.recipe.depth,
            "plain": first.recipe.plain,
            "shortcut": first.recipe.shortcut,
            "dataset": first.recipe.dataset,
            "parameters": first.parameters,
            "n": len(errors),
            "seeds": [run.recipe.seed for run in self.runs],
            "split": first.tested,
            "best": min(errors, default=None),
            "mean": self.error,
            "std": deviation(errors) if len(errors) > 1 else None,
            "train_error": self.train_error,
            "finished": first.finished,
            "marks": self.marks,
            "forks": {name: list(pair) for name, pair in first.forks().items()},
            "runs": [str(run.path) for run in self.runs],
        }


def group(runs: Iterable[Run]) -> list[Group]:
    """By experiment: plain nets first, then by depth; finished runs before the others, the paper's recipe before others.

    An unfinished run is a group with others that got exactly as far, never with finished ones. Of two files with one seed (a
    copy) both are shown, for only the user knows which to leave out.
    """
    found: dict[Any, list[Run]] = {}
    for run in runs:
        found.setdefault((run.experiment(), run.finished, run.iteration), []).append(run)
    groups = [Group(runs=tuple(sorted(members, key=lambda run: run.recipe.seed))) for members in found.values()]
    return sorted(groups, key=_order)


def _order(one: Group) -> Any:
    recipe = one.first.recipe
    # The longer run first: that is nearer to the paper's.
    return (
        recipe.dataset,
        not recipe.plain,
        recipe.shortcut or "",
        recipe.depth,
        not one.first.finished,
        -recipe.iterations,
        one.first.experiment(),
    )


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
