"""What an evaluation found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rescli.backends.base import Tally


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """Top-1 error in %, mean cross-entropy in nats an image, and both counts of every class.

    `iteration` and `iterations` are None for weights without a run; `inputs` says how images became inputs.
    """

    path: Path
    network: str
    dataset: str
    split: str
    iteration: int | None
    iterations: int | None
    precision: str
    backend: str
    classes: tuple[str, ...]
    inputs: str
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
            "inputs": self.inputs,
            "images": self.images,
            "errors": self.errors,
            "error": self.error,
            "loss": self.loss,
            "classes": [
                {"name": name, "images": images, "errors": errors, "error": error}
                for name, images, errors, error in self.by_class()
            ],
        }
