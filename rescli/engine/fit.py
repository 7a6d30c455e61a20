"""The training loop (Sec. 3.4 and 4.2): iterations, not epochs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from rescli.backends.base import Tally, Totals, Worker
from rescli.backends.team import Team
from rescli.engine.checkpoint import Checkpointer
from rescli.engine.observer import Observer
from rescli.engine.progress import Mark, Metrics, Progress
from rescli.engine.source import Supply
from rescli.engine.stopping import StopSignals
from rescli.errors import RescliError
from rescli.recipes.cifar import CifarRecipe
from rescli.recipes.recipe import Recipe
from rescli.recipes.schedule import Plateau, Schedule
from rescli.store.record import Status


class Diverged(RescliError):
    """The loss became NaN or infinite. Exit code 1."""


@dataclass(kw_only=True)
class Training:
    """Everything the loop works with. `recipe` is resolved."""

    recipe: Recipe
    worker: Worker
    supply: Supply
    progress: Progress
    metrics: Metrics
    checkpointer: Checkpointer
    observer: Observer
    stop: StopSignals
    team: Team = field(default_factory=Team)
    clock: Callable[[], float] = time.monotonic
    schedule: Schedule = field(init=False)
    started: float = field(init=False, default=0.0)
    """When the run would have begun had it never been interrupted, on `clock`."""
    finished: bool = field(init=False, default=False)

    def __post_init__(self) -> None:
        self.schedule = self.recipe.schedule()


def fit(run: Training) -> bool:
    """Train from `run.progress` to the end of the recipe. Returns whether it got there; False: a signal came.

    Raises `Diverged` and `StoreError`.
    """
    for _ in steps(run):
        pass
    return run.finished


def steps(run: Training) -> Iterator[None]:
    """Train as `fit` does, and pause after every iteration: several runs can take turns.

    A checkpoint is written only between an iteration with all that belongs to it (metrics, warm-up, evaluation) and the
    next, so that a resumed run neither repeats nor misses anything. Of several processes one alone decides nothing.
    """
    recipe, progress = run.recipe, run.progress
    run.started = run.clock() - progress.seconds
    run.observer.begin(progress.iteration, recipe.iterations, recipe.batch_size)
    while True:
        if _average_due(run):
            _average(run)
        if _evaluation_due(run) and not _average_due(run):
            _evaluate(run)
        if progress.iteration == recipe.iterations and not _evaluation_due(run):
            checkpoint(run, "finished")
            run.finished = True
            return
        due = run.team.first and run.checkpointer.due()  # the others write nothing and cannot say how long it takes
        stopping, saving = run.team.any(run.stop.received is not None, due)
        if stopping or saving:
            checkpoint(run, "stopped" if stopping else "running")
        if stopping:
            _together(run)
            return
        _iterate(run)
        yield


def _together(run: Training) -> None:
    """Nobody leaves before the store is written: half a minute after the first, PyTorch's launcher kills the others."""
    run.team.any(False)


def _iterate(run: Training) -> None:
    """One iteration of SGD on the next batch, and the metrics and the warm-up rule where their windows end."""
    recipe, progress, schedule = run.recipe, run.progress, run.schedule
    first, last = run.supply.give(run.worker, progress.iteration)
    rate = schedule.at(progress.iteration, warming_up=progress.warming_up, drops=progress.drops)
    run.worker.train_step(progress.iteration, first, last, rate)
    progress.iteration += 1
    progress.seconds = run.clock() - run.started
    run.observer.step(progress.iteration)
    assert recipe.log_every is not None
    if progress.warming_up and progress.iteration % schedule.warmup_window == 0:
        _check_warmup(run)
    if progress.iteration % recipe.log_every == 0 or progress.iteration == recipe.iterations:
        _log(run, rate)


def _average_due(run: Training) -> bool:
    batches = run.recipe.batches_for_statistics
    return run.progress.iteration == run.recipe.iterations and batches > 0 and not run.progress.averaged


def _average(run: Training) -> None:
    """BN's true averages in place of moving ones, after the last iteration. A signal leaves this to the resumed run."""
    plans = run.supply.for_statistics(run.recipe.batches_for_statistics)
    if run.worker.average_statistics(plans, lambda: run.stop.received is not None):
        run.progress.averaged = True
        run.observer.note(f"BN's statistics are now averages over {run.recipe.batches_for_statistics:,} batches")


def _evaluation_due(run: Training) -> bool:
    iteration, every = run.progress.iteration, run.recipe.eval_every
    assert every is not None
    return iteration > run.progress.evaluated and (iteration % every == 0 or iteration == run.recipe.iterations)


def checkpoint(run: Training, status: Status) -> None:
    """Save everything, unless it is no good any more. Raises `Diverged` and `StoreError`."""
    started = run.clock()
    finite_totals(run)
    state = run.worker.state()
    # An update may have spoilt the weights without a loss that shows it yet.
    if not all(np.isfinite(values).all() for values in (*state.model.values(), *state.momentum.values())):
        raise _diverged(run, "weights", run.progress.iteration)
    run.checkpointer.save(status, state, run.progress, run.metrics)
    run.checkpointer.seconds += run.clock() - started


def finite_totals(run: Training) -> Totals:
    """The worker's sums. Raises `Diverged`, naming the iteration, where a loss was not finite."""
    totals = run.worker.totals()
    if totals.first_bad is not None:
        raise _diverged(run, "loss", totals.first_bad + 1)  # the worker counts from 0, people from 1
    return totals


def _diverged(run: Training, what: str, iteration: int) -> Diverged:
    last = run.checkpointer.mark_diverged(iteration)
    _together(run)
    return Diverged(
        f"the {what} became NaN or infinite at iteration {iteration}",
        f"The last good checkpoint, after iteration {last}, stays in the store. A smaller learning rate"
        f"{' or --warmup' if isinstance(run.recipe, CifarRecipe) else ''} may help.",
    )


def _check_warmup(run: Training) -> None:
    totals = finite_totals(run)
    _, error = run.progress.warmup_mark.means(totals)
    run.progress.warmup_mark = Mark.of(totals)
    if run.schedule.ends_warmup(error):
        run.progress.warming_up = False
        run.progress.warmup_ended = run.progress.iteration
        run.observer.note(f"warm-up ends after iteration {run.progress.iteration}: training error {error:.2f} %")


def _log(run: Training, rate: float) -> None:
    totals = finite_totals(run)
    loss, error = run.progress.log_mark.means(totals)
    run.progress.log_mark = Mark.of(totals)
    row = {
        "iteration": run.progress.iteration,
        "loss": loss,
        "error": error,
        "learning_rate": rate,
        "seconds": run.progress.seconds,
    }
    run.metrics.add("train", row)
    run.observer.row("train", row)


def _evaluate(run: Training) -> None:
    tested, plans = run.recipe.tested, run.supply.tested()
    brought = {} if plans is None else {"plans": plans}
    tally = run.worker.evaluate(tested, lambda: run.stop.received is not None, **brought)
    if tally is None:  # a signal came: the resumed run begins with this evaluation
        return
    loss, error = means(tally)
    if not math.isfinite(loss):  # finite weights may be too large to compute with
        raise _diverged(run, f"{tested} loss", run.progress.iteration)
    run.progress.evaluated = run.progress.iteration
    run.progress.seconds = run.clock() - run.started
    row = {"iteration": run.progress.iteration, "loss": loss, "error": error, "seconds": run.progress.seconds}
    run.metrics.add(tested, row)
    run.observer.row(tested, row)
    if run.schedule.plateau is not None:
        _check_plateau(run, run.schedule.plateau, error)


def _check_plateau(run: Training, rule: Plateau, error: float) -> None:
    """Divide the learning rate where evaluations no longer bring progress."""
    progress = run.progress
    # Rounded, or else an error that is exactly so much lower would be progress or none as its last bits happen to be.
    if progress.best_error is None or round(progress.best_error - error, 6) > rule.least:
        progress.best_error, progress.waited = error, 0
        return
    progress.waited += 1
    if progress.waited >= rule.patience and progress.drops < rule.drops:
        progress.drops, progress.waited = progress.drops + 1, 0
        rate = run.schedule.at(progress.iteration, drops=progress.drops)
        run.observer.note(
            f"a plateau after iteration {progress.iteration}: {rule.patience} evaluations did not bring the error "
            f"{rule.least:g} points below {progress.best_error:.2f} %; learning rate {rate:g}"
        )


def means(tally: Tally) -> tuple[float, float]:
    """Mean loss in nats and top-1 error in %."""
    images = int(tally.images.sum())
    return tally.loss / images, 100 * int(tally.errors.sum()) / images
