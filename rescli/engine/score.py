"""`rescli eval`: which of the two ways to test a file goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rescli.engine.evaluate import evaluate_run, evaluate_weights
from rescli.engine.evaluation import Evaluation
from rescli.engine.networks import open_network
from rescli.engine.request import stored_recipe
from rescli.errors import UsageError
from rescli.store.network import holds_network, is_store


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """What a user asked for. `name`, `forks`, `normalize` and `layout` are about weights without a run."""

    path: Path
    name: str | None = None
    forks: Mapping[str, Any] = field(default_factory=dict)
    normalize: str | None = None
    layout: str = "auto"
    dataset: str | None = None
    split: str = "test"
    data: Path | None = None
    backend: str = "auto"
    precision: str | None = None
    threads: int | None = None


def score(asked: Scoring) -> Evaluation:
    """Test a run's net, or weights without a run. Raises as `evaluate_run`, `evaluate_weights` and `open_network` do."""
    where: dict[str, Any] = {
        "split": asked.split,
        "data": asked.data,
        "backend": asked.backend,
        "precision": asked.precision,
        "threads": asked.threads,
    }
    path = asked.path
    if (path.is_file() or path.suffix == ".h5") and is_store(path) and not holds_network(path):
        about_weights = [asked.name, asked.normalize, *(value for value in asked.forks.values())]
        if any(value is not None for value in about_weights) or asked.layout != "auto":
            raise UsageError(
                f"{path} is a run, which says itself what its net and inputs are", "Leave these options out."
            )
        recipe = stored_recipe(path)
        if recipe is not None and asked.dataset not in (None, recipe.dataset):
            raise UsageError(f"{path} was trained on {recipe.dataset}, not {asked.dataset}", "Leave the name out.")
        return evaluate_run(path, **where)
    bundle = open_network(path, name=asked.name, forks=asked.forks, normalize=asked.normalize, layout=asked.layout)
    return evaluate_weights(path, bundle, dataset=asked.dataset, **where)
