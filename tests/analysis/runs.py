"""Run stores with made-up figures, and nets with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.models.build import build
from rescli.recipes.cifar import CifarRecipe
from rescli.store.record import RunRecord
from rescli.store.writer import write_run
from tests.models.weights.others import randomized


def a_run(
    path: Path,
    *,
    error: float = 9.0,
    train_error: float = 1.0,
    done: int | None = None,
    warmup_ended: int | None = None,
    weights: bool = False,
    **recipe: Any,
) -> Path:
    """A run whose errors fall from 90 % to these; `done` iterations of an unfinished one. Options are the recipe's."""
    settled = CifarRecipe(**{"precision": "fp32", "bn_images": 64, "momentum_form": "caffe", **recipe}).resolved()
    assert settled.log_every is not None
    assert settled.eval_every is not None
    iteration = settled.iterations if done is None else done
    tested = "val" if settled.validation else "test"
    path.parent.mkdir(parents=True, exist_ok=True)
    status: Any = "finished" if done is None else "stopped"
    network = settled.spec(classes=10)
    write_run(
        path,
        RunRecord(
            status=status,
            recipe=settled.to_dict(),
            environment={"python": "3.11"},
            progress={"iteration": iteration, "seconds": 60.0, "warmup_ended": warmup_ended},
            sessions=[{"command": "rescli train cifar <&>", "backend": "cpu", "device": "a processor", "torch": "2.9"}],
            metrics={
                "train": _curve(iteration, settled.log_every, train_error),
                tested: _curve(iteration, settled.eval_every, error),
            },
            inputs={"mean_image": np.full((32, 32, 3), 0.5, np.float32)},
            model=random_weights(settled) if weights else {},
            momentum={},
            summary={"status": status, "iteration": iteration, "network": network.name},
        ),
    )
    return path


def random_weights(recipe: CifarRecipe, seed: int = 0) -> dict[str, npt.NDArray[Any]]:
    """Weights, BN parameters and statistics, none of them a round number."""
    net = randomized(build(recipe.spec(classes=10)), seed)
    return {name: tensor.numpy() for name, tensor in net.state_dict().items()}


def _curve(iterations: int, every: int, last: float) -> dict[str, npt.NDArray[Any]]:
    at = np.arange(every, iterations + 1, every)
    # Falls at once, and is flat over the last half: the mean over its end is the last value.
    errors = np.where(at < iterations / 2, 90.0, last)
    return {"iteration": at, "loss": errors / 40, "error": errors.astype(np.float64)}
