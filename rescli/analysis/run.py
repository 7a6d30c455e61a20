"""One run as the analyses see it: its recipe, its curves, and what of it differs from the paper's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.analysis.recipes import beyond_depth, choices, differences, experiment, forks_of, word
from rescli.data.names import info
from rescli.errors import StoreError, UsageError
from rescli.models.names import label
from rescli.models.spec import Spec
from rescli.profiling.cost import cost
from rescli.profiling.paper import CLASSES
from rescli.recipes.cifar import CifarRecipe
from rescli.recipes.imagenet import ImageNetRecipe
from rescli.recipes.recipe import Recipe
from rescli.recipes.stored import recipe_of
from rescli.store.reader import read_standing
from rescli.store.record import RunRecord

TAIL = 64
"""The training error of a run is its mean over the last 1/64 of the run: 1,000 of 64k iterations."""

FEWEST = 10
"""Iterations of a row that is short enough for any run."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """A run. Errors in %, curves as (iterations int64 [n], errors float64 [n]); `status` as in `rescli runs list`."""

    path: Path
    status: str
    recipe: Recipe
    spec: Spec
    iteration: int
    seconds: float
    warmup_ended: int | None
    metrics: Mapping[str, Mapping[str, npt.NDArray[Any]]]
    environment: Mapping[str, Any]
    sessions: tuple[Mapping[str, Any], ...]
    images: str = ""
    """Which photographs it was trained and evaluated on; empty for data sets that are known by name."""

    @property
    def label(self) -> str:
        """plain-56, ResNet-110."""
        return label(self.spec)

    @property
    def finished(self) -> bool:
        """Whether it got to the end of its recipe."""
        return self.status == "finished"

    @property
    def tested(self) -> str:
        """The split it was evaluated on: "test"; "val" if it held images out, and for ImageNet."""
        return self.recipe.tested

    @property
    def imagenet(self) -> bool:
        """Whether its net is one of ImageNet's."""
        return isinstance(self.recipe, ImageNetRecipe)

    @property
    def last_session(self) -> Mapping[str, Any]:
        """Of the sessions that have trained it; empty where its store tells of none."""
        return self.sessions[-1] if self.sessions else {}

    @property
    def parameters(self) -> int:
        """Number of parameters."""
        return cost(self.spec).parameters

    def curve(self, split: str, column: str = "error") -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
        """Iterations and values of "train" or the tested split; empty where there are none yet."""
        columns = self.metrics.get(split, {})
        if column not in columns:
            return np.zeros(0, np.int64), np.zeros(0)
        return columns["iteration"], columns[column]

    @property
    def has_curve(self) -> bool:
        """Whether there is a point to draw yet."""
        return any(len(columns["iteration"]) for columns in self.metrics.values())

    @property
    def error(self) -> float | None:
        """The last test (or validation) error; None before the first evaluation."""
        return _last(self.curve(self.tested)[1])

    @property
    def train_error(self) -> float | None:
        """The mean training error over the last 1/64 of the run; None before the first row, and where rows are longer."""
        iterations, errors = self.curve("train")
        if not len(errors) or self._rows_too_long():
            return None
        last = iterations > iterations[-1] - self._tail()
        return float(np.average(errors[last], weights=np.diff(iterations, prepend=0)[last]))

    def _tail(self) -> int:
        return max(1, self.recipe.iterations // TAIL)

    def _rows_too_long(self) -> bool:
        return (self.recipe.log_every or 0) > max(FEWEST, self._tail())

    def differences(self) -> dict[str, tuple[Any, Any]]:
        """What the paper's recipe for this net says otherwise: name -> (the paper's, this run's)."""
        return differences(self.recipe)

    def forks(self) -> dict[str, tuple[Any, Any]]:
        """Where this implementation of the recipe is not the paper's: name -> (the paper's, this run's)."""
        return {
            name: (paper, getattr(self.recipe, name))
            for name, paper in forks_of(self.recipe).items()
            if getattr(self.recipe, name) != paper
        }

    def marks(self) -> tuple[str, ...]:
        """What keeps it from standing beside the paper's figures, in words; empty for a finished run of the paper's recipe."""
        found = (
            []
            if self.finished
            else [f"{self.status} after {self.iteration:,} of {self.recipe.iterations:,} iterations"]
        )
        if isinstance(self.recipe, CifarRecipe) and self.recipe.validation:
            found.append("error on held-out training images, not on the test set")
        if self.imagenet and self.spec.classes != CLASSES:
            found.append(f"{self.spec.classes} classes, not ImageNet's {CLASSES}")
        return (
            *found,
            *(f"{name} {word(ours)} (paper: {word(paper)})" for name, (paper, ours) in self.differences().items()),
            *choices(self.recipe),
        )

    def experiment(self) -> str:
        """Equal for runs that differ in nothing but the seed (and in how often they were looked at)."""
        return experiment(self.recipe) + self._task()

    def beyond_depth(self) -> str:
        """Equal for runs whose recipes agree in all but seed, depth and kind of net."""
        return beyond_depth(self.recipe) + self._task()

    def _task(self) -> str:
        return f", {self.spec.classes} classes of {self.images}" if self.imagenet else ""


def read(path: Path) -> Run:
    """The run at `path`, weights left out. Raises `StoreError` for what is no run, or one of another recipe than this knows."""
    record, status = read_standing(path)
    try:
        recipe = recipe_of(record.recipe)
        return Run(
            path=path,
            status=status,
            recipe=recipe,
            spec=recipe.spec(classes=_classes(recipe, record)),
            iteration=int(record.progress["iteration"]),
            seconds=float(record.progress["seconds"]),
            warmup_ended=record.progress.get("warmup_ended"),
            metrics=record.metrics,
            environment=record.environment,
            sessions=tuple(record.sessions),
            images=record.images,
        )
    except (UsageError, KeyError, TypeError, ValueError) as error:
        why = error.message if isinstance(error, UsageError) else error
        raise StoreError(f"{path}: its recipe is not one that can be analysed: {why}") from error


def _classes(recipe: Recipe, record: RunRecord) -> int:
    """How many classes the net tells apart. An ImageNet run has their names among its inputs."""
    if isinstance(recipe, ImageNetRecipe):
        return len(record.inputs["classes"]) if "classes" in record.inputs else CLASSES
    return info(recipe.dataset).classes


def _last(values: npt.NDArray[Any]) -> float | None:
    return float(values[-1]) if len(values) else None
