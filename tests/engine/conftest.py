"""Training in small: a net of 8 layers, some hundred synthetic images, one process."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rescli.data import synthetic
from rescli.data.dataset import Dataset
from rescli.engine.observer import Silent
from rescli.engine.request import Outcome, Request
from rescli.engine.train import train
from rescli.recipes.cifar import CifarRecipe
from rescli.store.reader import read_run
from rescli.store.record import RunRecord
from tests.backends.jobs import images as images

Train = Callable[..., tuple[Outcome, RunRecord]]


@pytest.fixture(scope="session")
def few_images() -> Dataset:
    """The first 200 training and 100 test images of the synthetic set."""
    whole = synthetic.make()
    return Dataset(whole.name, whole.classes, whole.train[:200], whole.test[:100])


@pytest.fixture(autouse=True)
def _few_images(few_images: Dataset, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, *, data: Path | None = None) -> Dataset:
        return few_images

    monkeypatch.setattr("rescli.engine.source.load", load)
    monkeypatch.setattr("rescli.engine.evaluate.load", load)


def small(**values: Any) -> CifarRecipe:
    """A recipe that takes a second: 12 iterations of 32 images, 7 to an epoch (the last has 8)."""
    defaults = {"dataset": "synthetic", "depth": 8, "iterations": 12, "batch_size": 32, "precision": "fp32"}
    return CifarRecipe(**{**defaults, "log_every": 3, "eval_every": 5, **values})


@pytest.fixture
def trained(tmp_path: Path) -> Train:
    """Train `recipe` into a store of its own, and read that."""

    def run(
        recipe: CifarRecipe, *, name: str = "run.h5", observer: Any = None, **request: Any
    ) -> tuple[Outcome, RunRecord]:
        path = tmp_path / name
        outcome = train(Request(recipe=recipe, path=path, threads=1, backend="cpu", **request), observer or Silent())
        return outcome, read_run(path)

    return run


class Stops(Silent):
    """Sends a signal to this process after an iteration, or when a split's metrics get a row."""

    def __init__(self, iteration: int, number: signal.Signals = signal.SIGTERM) -> None:
        self._iteration = iteration
        self._number = number

    def step(self, iteration: int) -> None:
        if iteration == self._iteration:
            os.kill(os.getpid(), self._number)
