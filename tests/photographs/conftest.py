"""Runs on photographs in small: three classes that differ in colour and texture, a net of 18 layers, inputs of 32 pixels."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from rescli.engine.observer import Silent
from rescli.engine.request import Outcome, Request
from rescli.engine.train import train
from rescli.recipes.imagenet import ImageNetRecipe
from rescli.store.reader import read_run
from rescli.store.record import RunRecord
from tests.cli.conftest import _nothing_set as _nothing_set
from tests.cli.conftest import finished as finished
from tests.cli.conftest import rescli as rescli

CLASSES, TRAINING, VALIDATION = 3, 7, 4
"""Classes, and images of each."""

Train = Callable[..., tuple[Outcome, RunRecord]]


@pytest.fixture(scope="session")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """JPEGs of various shapes, one of them grey."""
    root = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for label in range(CLASSES):
        for split, number in (("train", TRAINING), ("val", VALIDATION)):
            folder = root / split / f"n{label:02}"
            folder.mkdir(parents=True)
            for which in range(number):
                coarse = random.integers(0, 120, (4 + 2 * label, 6, 3), np.uint8)
                coarse[..., label] += 120
                size = (44 + 9 * which, 60) if which % 2 else (52, 41 + 7 * which)
                mode = "L" if (label, which) == (0, 1) else "RGB"
                Image.fromarray(coarse).resize(size).convert(mode).save(folder / f"{which}.JPEG", quality=92)
    return root


@pytest.fixture(scope="session")
def imagenette() -> Path:
    """The folder of ten real classes of ImageNet."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    for root in (os.environ.get("RESCLI_DATA"), beside):
        if root and (Path(root) / "imagenette-mini" / "train").is_dir():
            return Path(root) / "imagenette-mini"
    pytest.skip("needs photographs: set RESCLI_DATA to the folder that holds imagenette-mini")


def little(**values: Any) -> ImageNetRecipe:
    """A recipe that takes seconds: nine iterations of 8 images, three to an epoch (the last has 5)."""
    defaults = {"model": "resnet18", "size": 32, "iterations": 9, "batch_size": 8, "precision": "fp32"}
    return ImageNetRecipe(
        **{**defaults, "precise_bn": 4, "log_every": 2, "eval_every": 4, "learning_rate": 0.05, **values}
    )


@pytest.fixture
def trained(tmp_path: Path, photographs: Path) -> Train:
    """Train `recipe` into a store of its own, and read that."""

    def run(
        recipe: ImageNetRecipe, *, name: str = "run.h5", observer: Any = None, **request: Any
    ) -> tuple[Outcome, RunRecord]:
        path = tmp_path / name
        options = {"data": photographs, "threads": 1, "workers": 2, "backend": "cpu", **request}
        outcome = train(Request(recipe=recipe, path=path, **options), observer or Silent())
        return outcome, read_run(path)

    return run
