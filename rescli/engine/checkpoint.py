"""When a checkpoint is due, and what goes into it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

import numpy.typing as npt

from rescli.backends.base import Worker
from rescli.engine.progress import Metrics, Progress
from rescli.recipes.cifar import CifarRecipe
from rescli.store.record import RunRecord, Status
from rescli.store.writer import BackgroundWriter


@dataclass(kw_only=True)
class Facts:
    """What stays the same while one process works on a run."""

    recipe: CifarRecipe
    network: str
    environment: Mapping[str, Any]
    sessions: list[dict[str, Any]]
    inputs: Mapping[str, npt.NDArray[Any]]
    analysis: Mapping[str, Any] = field(default_factory=dict)


class Checkpointer:
    """Writes the run store every so many seconds, behind the training loop; the last one of a run before it returns."""

    def __init__(
        self,
        writer: BackgroundWriter,
        facts: Facts,
        *,
        every_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.facts = facts
        self.last: RunRecord | None = None
        self._writer = writer
        self._every = every_seconds
        self._clock = clock
        self._before = clock()
        self._held_up = 0.0

    def due(self) -> bool:
        """Whether so many seconds have passed since the last one, or that one failed and `save` will say how."""
        return self._clock() - self._before >= self._every or self._writer.failed()

    def save(self, status: Status, worker: Worker, progress: Progress, metrics: Metrics) -> None:
        """Copy everything off the device and hand it to the writer; wait for it unless the run goes on.

        Raises `StoreError` where this one or the one before could not be written.
        """
        started = self._clock()
        self._submit(self._record(status, worker, progress, metrics))
        if status != "running":
            self._writer.flush()
        self._before = self._clock()
        self._held_up += self._before - started

    def mark_diverged(self, iteration: int) -> None:
        """Say in the store that the loss stopped being finite at `iteration`. The last good checkpoint stays."""
        assert self.last is not None, "a run begins with a checkpoint"
        summary = {**self.last.summary, "status": "diverged", "diverged_at": iteration}
        progress = {**self.last.progress, "diverged_at": iteration}
        self._submit(replace(self.last, status="diverged", summary=summary, progress=progress))
        self._writer.flush()

    def _submit(self, record: RunRecord) -> None:
        self._writer.submit(record, copy=False)  # a worker's state is a copy already
        self.last = record

    def _record(self, status: Status, worker: Worker, progress: Progress, metrics: Metrics) -> RunRecord:
        state = worker.state()
        facts = self.facts
        facts.sessions[-1] |= {
            "last_iteration": progress.iteration,
            "status": status,
            "seconds_in_checkpoints": self._held_up,  # before this one
        }
        return RunRecord(
            status=status,
            recipe=facts.recipe.to_dict(),
            environment=facts.environment,
            progress={**progress.to_dict(), "totals": vars(state.totals)},
            sessions=[dict(session) for session in facts.sessions],
            metrics=metrics.arrays(),
            inputs=facts.inputs,
            model=state.model,
            momentum=state.momentum,
            analysis=facts.analysis,
            summary=summary(facts, status, progress, metrics),
        )


def summary(facts: Facts, status: Status, progress: Progress, metrics: Metrics) -> dict[str, Any]:
    """The few facts in the store's header, which a listing shows."""
    recipe = facts.recipe
    tested = "val" if recipe.validation else "test"
    return {
        "status": status,
        "saved": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "network": facts.network,
        "shortcut": recipe.shortcut,
        "dataset": recipe.dataset,
        "seed": recipe.seed,
        "iteration": progress.iteration,
        "iterations": recipe.iterations,
        "train_error": metrics.last("train", "error"),
        f"{tested}_error": metrics.last(tested, "error"),
        "precision": recipe.precision,
        "seconds": progress.seconds,
    }
