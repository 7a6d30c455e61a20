"""Nets learn: the whole way from images to an error, in a quarter of a minute each."""

from __future__ import annotations

from pathlib import Path

import pytest

from rescli.engine.evaluate import evaluate_run
from rescli.engine.request import Request
from rescli.engine.train import train
from rescli.recipes.cifar import CifarRecipe
from tests.data.conftest import cifar_root as cifar_root


def error_of(recipe: CifarRecipe, path: Path, data: Path | None = None) -> float:
    outcome = train(Request(recipe=recipe, path=path, data=data))
    assert outcome.test is not None
    assert evaluate_run(path, data=data).error == outcome.test["error"]
    return outcome.test["error"]


def test_on_the_built_in_images(tmp_path: Path) -> None:
    recipe = CifarRecipe(dataset="synthetic", depth=8, iterations=300)

    assert error_of(recipe, tmp_path / "run.h5") < 20


@pytest.mark.parametrize("plain", [False, True], ids=["residual", "plain"])
def test_on_cifar10(tmp_path: Path, cifar_root: Path, plain: bool) -> None:
    """Guessing is wrong in 90 % of all cases."""
    recipe = CifarRecipe(depth=8, plain=plain, iterations=300)

    assert error_of(recipe, tmp_path / "run.h5", cifar_root) < 65
