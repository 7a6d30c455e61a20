"""How long the parts of a run take on this device: its beginning, a step, an evaluation. Nothing is written."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from rescli.backends.base import Worker
from rescli.data.dataset import Images
from rescli.data.feed import ResidentImages
from rescli.engine.prepare import Prepared, prepare, start
from rescli.engine.request import Request
from rescli.profiling.memory import training_memory
from rescli.program import surroundings

WARM_UP = 3
"""Steps before the clock counts, of each size of batch: a GPU's step is compiled in the first, and recorded in the third."""
SHORT_SECONDS = 0.5
"""Evaluations are recorded, too; one that takes longer than this is timed as it is."""
LEAST_SECONDS = 3.0
FEW, MORE = 200, 600
"""Images in the two evaluations that are timed: folding the net takes its time, however many images follow."""


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Seconds of one step, of one evaluation, and once in a run (images, network, compiling); memory in bytes."""

    step: float
    evaluation: float
    beginning: float
    evaluations: int
    """In the whole run."""
    device: str
    memory: int
    memory_free: int


def time_run(request: Request) -> Timing:
    """Time some steps and two short evaluations of a run on CIFAR that is not begun. Raises as the run itself would."""
    before = time.perf_counter()
    prepared = prepare(request, quick=True)
    device = prepared.backend.device()  # before the timed run holds some of its memory
    tested = prepared.recipe.tested
    feed = prepared.source.feeds()[tested]
    worker = start(request, replace(prepared, source=_Sampled(prepared.source, feed)))
    beginning = time.perf_counter() - before
    step, first_steps = _step(worker, prepared, images=len(prepared.source.feeds()["train"]))
    evaluation, first_evaluation = _evaluation(worker, len(feed))
    worker.close()
    recipe = prepared.recipe
    assert recipe.precision != "auto", "prepare() decides"
    assert recipe.eval_every is not None
    return Timing(
        step=step,
        evaluation=evaluation,
        beginning=beginning + first_steps + first_evaluation,
        evaluations=-(-recipe.iterations // recipe.eval_every),
        device=device.name,
        memory=training_memory(prepared.spec, batch=recipe.batch_size, precision=recipe.precision).peak,
        memory_free=device.memory_free,
    )


def time_loading() -> float:
    """Seconds until a process of its own has loaded everything that training needs."""
    before = time.perf_counter()
    command = [sys.executable, "-c", "import rescli.engine.train"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env={**os.environ, **surroundings()})
    return time.perf_counter() - before


class _Sampled:
    """A run's images, and two small samples of those that are tested."""

    def __init__(self, source: Any, feed: ResidentImages) -> None:
        self._source, self._feed = source, feed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def feeds(self) -> Mapping[str, Any]:
        return {**self._source.feeds(), **{str(count): _first(self._feed, count) for count in (FEW, MORE)}}


def _first(feed: ResidentImages, count: int) -> ResidentImages:
    """The first so many images of a feed."""
    images = Images(images=feed.images.numpy()[:count], labels=feed.labels.numpy()[:count])
    return ResidentImages(images, feed.mean.numpy())


def _step(worker: Worker, prepared: Prepared, *, images: int) -> tuple[float, float]:
    """The mean over some seconds, as steps follow one another in a run: nothing waits for the device in between.

    And what the first steps took longer. An epoch of `images` may end in a shorter batch, which has first steps of its own.
    """
    rate, batch = prepared.recipe.learning_rate, prepared.recipe.batch_size
    epoch = -(-images // batch)
    whole = list(range(WARM_UP))
    shorter = [epoch * number - 1 for number in range(1, 1 + WARM_UP)] if images % batch and epoch > 1 else []
    with prepared.source.supply() as supply:

        def steps(iterations: Iterable[int]) -> float:
            before = time.perf_counter()
            for iteration in iterations:
                worker.train_step(iteration, *supply.give(worker, iteration), rate)
            worker.totals()
            return time.perf_counter() - before

        warm_up = steps([*whole, *shorter])
        first = done = epoch * WARM_UP
        seconds, count = 0.0, 1
        while seconds < LEAST_SECONDS:
            seconds += steps(range(done, done + count))
            done, count = done + count, 2 * count
    step = seconds / (done - first)
    return step, max(0.0, warm_up - (len(whole) + len(shorter)) * step)


def _evaluation(worker: Worker, images: int) -> tuple[float, float]:
    """Of so many images, from two smaller ones, each with a rehearsal before it; and what the first one took longer."""

    def look(count: int) -> float:
        before = time.perf_counter()
        worker.evaluate(str(count))
        return time.perf_counter() - before

    def settled(count: int) -> float:
        for _ in range(WARM_UP - 1):
            if look(count) > SHORT_SECONDS:
                break
        return look(count)

    first, few = look(FEW), settled(FEW)
    look(MORE)  # compiled in it, which says nothing of the next
    more = settled(MORE)
    return few + max(0.0, more - few) / (MORE - FEW) * (images - FEW), max(0.0, first - few)
