"""When a checkpoint is due, and what goes into it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

import numpy.typing as npt

from rescli.backends.base import State
from rescli.engine.progress import Metrics, Progress
from rescli.recipes.recipe import Recipe
from rescli.store.record import RunRecord, Status
from rescli.store.writer import BackgroundWriter

EVERY_SECONDS = 60.0


@dataclass(kw_only=True)
class Facts:
    """What stays the same while one process works on a run."""

    recipe: Recipe
    network: str
    environment: Mapping[str, Any]
    sessions: list[dict[str, Any]]
    inputs: Mapping[str, npt.NDArray[Any]]
    analysis: Mapping[str, Any] = field(default_factory=dict)


class Checkpointer:
    """Writes the run store every so many seconds, behind the training loop; the last one of a run before it returns.

    `every_seconds` None means every minute, or less often for a store that takes long to write.
    """

    def __init__(
        self,
        writer: BackgroundWriter,
        facts: Facts,
        *,
        every_seconds: float | None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.facts = facts
        self.last: RunRecord | None = None
        self._writer = writer
        self._every = every_seconds
        self._clock = clock
        self._before = clock()
        self.seconds = 0.0
        """What checkpoints have cost the loop in this session, copying included."""

    def due(self) -> bool:
        """Whether it is time for the next one, or the last one failed and `save` will say how."""
        every = self._every
        if every is None:  # what a store of this size takes to write is to be less than 1 % of the time
            every = max(EVERY_SECONDS, 100 * self._writer.seconds)
        return self._clock() - self._before >= every or self._writer.failed()

    def save(self, status: Status, state: State, progress: Progress, metrics: Metrics) -> None:
        """Hand everything to the writer; wait for it unless the run goes on.

        Raises `StoreError` where this one or the one before could not be written.
        """
        self._submit(self._record(status, state, progress, metrics))
        if status != "running":
            self._writer.flush()
        self._before = self._clock()

    def mark_diverged(self, at: int) -> int:
        """Say in the store where the run went wrong. The last good checkpoint stays; returns its iteration."""
        assert self.last is not None, "a session begins with a checkpoint"
        summary = {**self.last.summary, "status": "diverged", "diverged_at": at}
        progress = {**self.last.progress, "diverged_at": at}
        sessions = [*self.last.sessions[:-1], {**self.facts.sessions[-1], "status": "diverged"}]
        self._submit(replace(self.last, status="diverged", summary=summary, progress=progress, sessions=sessions))
        self._writer.flush()
        return int(progress["iteration"])

    def _submit(self, record: RunRecord) -> None:
        self._writer.submit(record, copy=False)  # a worker's state is a copy already
        self.last = record

    def _record(self, status: Status, state: State, progress: Progress, metrics: Metrics) -> RunRecord:
        facts = self.facts
        facts.sessions[-1] |= {
            "last_iteration": progress.iteration,
            "status": status,
            "seconds_in_checkpoints": self.seconds,  # before this one
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
    tested = recipe.tested
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
