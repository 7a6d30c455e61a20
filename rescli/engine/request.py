"""What a user asked for, and how it ended. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rescli.recipes.recipe import Recipe
from rescli.recipes.stored import recipe_of
from rescli.store.problems import MissingStore
from rescli.store.record import Status


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a user asked for. `given` is what was set on purpose: on a resume that is compared with the stored recipe.

    `data` is the folder of data sets, or of photographs. What follows the recipe's options changes how a run is computed, not
    what: `accumulate` cuts a batch into parts that are computed one after the other, `workers` threads decode photographs, or
    the GPU does (`decode` "gpu": those of training). `truth` is a file with the classes of validation images that are not
    sorted into folders; `skip_damaged` leaves out photographs that cannot be decoded.
    """

    recipe: Recipe
    given: Mapping[str, Any] = field(default_factory=dict)
    path: Path
    resume: bool = False
    data: Path | None = None
    backend: str = "auto"
    deterministic: bool = False
    threads: int | None = None
    compile: bool | None = None
    checkpoint_activations: bool = False
    accumulate: int | None = None
    workers: int | None = None
    decode: str | None = None
    truth: Path | None = None
    skip_damaged: bool = False
    checkpoint_seconds: float | None = None

    @property
    def parts(self) -> int:
        """Parts that a batch, or what a process has of it, is computed in."""
        return self.accumulate or 1

    @property
    def resumes(self) -> bool:
        """Whether there is a run to go on with."""
        return self.resume and self.path.exists()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a run ended. `already` says that there was nothing left to do."""

    path: Path
    status: Status
    iteration: int
    recipe: Recipe
    network: str
    tested: str
    train: Mapping[str, float] | None
    test: Mapping[str, float] | None
    seconds: float
    already: bool = False

    def sentence(self) -> str:
        """The result in words."""
        figures = [f"{self.iteration:,} iterations"]
        for split, row in (("training", self.train), ("test" if self.tested == "test" else "validation", self.test)):
            if row is not None:
                figures.append(f"{split} error {row['error']:.2f} %")
        return ", ".join(figures)

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document. Errors in %, losses in nats an image."""
        return {
            "path": str(self.path),
            "status": self.status,
            "already_finished": self.already,
            "network": self.network,
            "iteration": self.iteration,
            "train": self.train,
            self.tested: self.test,
            "seconds": self.seconds,
            "recipe": self.recipe.to_dict(),
        }


def stored_recipe(path: Path) -> Recipe | None:
    """The recipe of the run at `path`; None if there is none yet. Raises `StoreError` where it cannot be read."""
    from rescli.store.reader import read_run  # loads h5py, which a command that only asks for help does not need

    try:
        return recipe_of(read_run(path, tensors=False).recipe)
    except MissingStore:
        return None
