"""`--dry-run`: everything a run needs is looked at, some steps are timed, nothing is written."""

from __future__ import annotations

import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rescli.engine.prepare import Prepared, describe, prepare, start
from rescli.engine.request import Request
from rescli.engine.resume import check_same, resumed
from rescli.engine.train import taken, there
from rescli.errors import RescliError, StoreError
from rescli.profiling.memory import training_memory
from rescli.store.reader import read_run
from rescli.store.target import check_name

STEPS = 5


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What a run would need: memory in bytes, times in seconds. `description` is the resolved recipe in words."""

    description: list[str]
    recipe: dict[str, Any]
    path: Path
    device: str
    memory_needed: int
    memory_free: int
    iterations: int
    """Still to do."""
    seconds_per_step: float
    images_per_second: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return {**asdict(self), "path": str(self.path)}


def dry_run(request: Request) -> DryRun:
    """Check data, device, memory and the place of the store; time a few real steps. Raises as the run itself would."""
    _check_path(request.path)
    done, record = 0, None
    if not there(request.path):
        check_name(request.path)
    else:
        if not request.resume:
            raise taken(request.path)
        record = read_run(request.path, tensors=False)
        request, done = resumed(request, record), record.progress["iteration"]
    prepared = prepare(request, quick=True)
    if record is not None:
        check_same(request, prepared, record)
    recipe, device = prepared.recipe, prepared.backend.device()
    assert recipe.precision != "auto", "prepare() decides"
    needed = training_memory(
        prepared.spec,
        batch=-(-recipe.batch_size // (prepared.team.size * request.parts)),
        precision=recipe.precision,
        checkpoint_activations=request.checkpoint_activations,
    ).peak
    if needed > device.memory_free:
        raise RescliError(
            f"{prepared.spec.name} at batch {recipe.batch_size} in {recipe.precision} needs about {needed / 1e9:.1f} GB; "
            f"{device.name} has {device.memory_free / 1e9:.1f} GB free",
            "Try --precision bf16, --checkpoint-activations, or a smaller --batch-size (another recipe).",
        )
    step = _seconds_per_step(request, prepared)
    return DryRun(
        description=describe(prepared),
        recipe=recipe.to_dict(),
        path=request.path,
        device=device.name,
        memory_needed=needed,
        memory_free=device.memory_free,
        seconds_per_step=step,
        images_per_second=recipe.batch_size / step,
        iterations=recipe.iterations - done,
        seconds=(recipe.iterations - done) * step,
    )


def _seconds_per_step(request: Request, prepared: Prepared) -> float:
    """The median of a few steps after a first one, which warms up. Each waits for the device."""
    worker = start(request, prepared)
    seconds = []
    with prepared.source.supply() as supply:
        for iteration in range(1 + STEPS):
            before = time.perf_counter()
            first, last = supply.give(worker, iteration)
            worker.train_step(iteration, first, last, prepared.recipe.learning_rate)
            worker.totals()
            seconds.append(time.perf_counter() - before)
    return median(seconds[1:])


def _check_path(path: Path) -> None:
    folder = next(parent for parent in path.absolute().parents if there(parent))
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(f"{path}: {folder} cannot be written to", "Name another file with --out.")
