"""Testing a finished or running net: "we only evaluate the single view of the original 32x32 image" (Sec. 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rescli.backends.base import Job, State, Tally, Totals
from rescli.backends.registry import choose
from rescli.data.feed import ResidentImages
from rescli.data.read import load
from rescli.data.split import split as split_dataset
from rescli.engine.prepare import start_job
from rescli.errors import UsageError
from rescli.models.build import build
from rescli.recipes.cifar import CifarRecipe
from rescli.store.reader import read_run


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Top-1 error in %, mean cross-entropy in nats an image, and both counts of every class."""

    path: Path
    network: str
    dataset: str
    split: str
    iteration: int
    iterations: int
    precision: str
    backend: str
    classes: tuple[str, ...]
    tally: Tally

    @property
    def images(self) -> int:
        """Number of images."""
        return int(self.tally.images.sum())

    @property
    def errors(self) -> int:
        """Number of wrong predictions."""
        return int(self.tally.errors.sum())

    @property
    def error(self) -> float:
        """Top-1 error in %."""
        return 100 * self.errors / self.images

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats."""
        return self.tally.loss / self.images

    def by_class(self) -> list[tuple[str, int, int, float]]:
        """Name, images, wrong predictions and error in % of each class."""
        counts = zip(self.classes, self.tally.images.tolist(), self.tally.errors.tolist(), strict=True)
        return [(name, images, errors, 100 * errors / images) for name, images, errors in counts if images]

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "path": str(self.path),
            "network": self.network,
            "dataset": self.dataset,
            "split": self.split,
            "iteration": self.iteration,
            "iterations": self.iterations,
            "precision": self.precision,
            "backend": self.backend,
            "images": self.images,
            "errors": self.errors,
            "error": self.error,
            "loss": self.loss,
            "classes": [
                {"name": name, "images": images, "errors": errors, "error": error}
                for name, images, errors, error in self.by_class()
            ],
        }


def evaluate_run(
    path: Path,
    *,
    split: str = "test",
    data: Path | None = None,
    backend: str = "auto",
    precision: str | None = None,
    threads: int | None = None,
) -> Evaluation:
    """The net of a run store on a split of its data set: "test", "train" or "val".

    `precision` None is the one it was trained with, so that the figures are those of the run's own last evaluation.
    Raises `StoreError`, `DataError`, `BackendError`, and `UsageError` for a split that the run does not have.
    """
    record = read_run(path)
    recipe = CifarRecipe.from_dict(record.recipe)
    chosen = choose(backend)
    settled = chosen.precision(precision or recipe.precision)
    dataset = load(recipe.dataset, data=data)
    splits = split_dataset(dataset, recipe.validation)
    images = {"train": splits.train, "val": splits.validation, "test": splits.test}.get(split)
    if images is None:
        raise UsageError(f"{path} has no split '{split}'", "There are train and test, and val if images were held out.")
    spec = recipe.spec(classes=len(dataset.classes))
    job = Job(
        network=build(spec),
        feeds={split: ResidentImages(images, np.asarray(record.inputs["mean_image"], dtype=np.float32))},
        classes=spec.classes,
        precision=settled,
        threads=threads or record.sessions[-1].get("threads"),
    )
    worker = start_job(chosen, job)
    worker.load(State(model=record.model, momentum={}, totals=Totals()))
    tally = worker.evaluate(split)
    assert tally is not None
    return Evaluation(
        path=path,
        network=spec.name,
        dataset=recipe.dataset,
        split=split,
        iteration=record.progress["iteration"],
        iterations=recipe.iterations,
        precision=settled,
        backend=chosen.name,
        classes=dataset.classes,
        tally=tally,
    )
