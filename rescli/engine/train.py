"""One training run from a request to a finished store: put together, started or resumed, and run."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

from rescli.backends.base import State, Totals, Worker
from rescli.data.order import Order
from rescli.engine import environment
from rescli.engine.checkpoint import Checkpointer, Facts
from rescli.engine.fit import Training, fit
from rescli.engine.observer import Observer, Silent
from rescli.engine.prepare import Prepared, check, describe, prepare, start
from rescli.engine.progress import Metrics, Progress
from rescli.engine.request import Outcome, Request
from rescli.engine.stopping import StopSignals
from rescli.errors import DataError, StoreError, UsageError
from rescli.recipes.cifar import CifarRecipe, differences
from rescli.store.lock import RunLock
from rescli.store.reader import read_run
from rescli.store.record import RunRecord
from rescli.store.writer import BackgroundWriter


def train(request: Request, observer: Observer | None = None) -> Outcome:
    """Train, or go on training, into `request.path`.

    Raises `StoppedEarly` or `Interrupted` after a signal (with a checkpoint written), and any other `RescliError`.
    """
    observer = observer or Silent()
    with StopSignals() as stop, _locked(request) as record:
        if record is not None:
            request = resumed(request, record)
            if record.status == "finished":
                return _outcome(request.path, record, already=True)
            observer.note(f"going on after iteration {record.progress['iteration']} of {request.recipe.iterations}")
        with ExitStack() as stack:
            run = assemble(request, observer, stop, record, stack)
            stack.callback(observer.end)
            if record is None:
                run.checkpointer.save("running", run.worker, run.progress, run.metrics)
            finished = fit(run)
        if not finished:
            raise stop.error(str(request.path), run.progress.iteration)
        assert run.checkpointer.last is not None
        return _outcome(request.path, run.checkpointer.last)


@contextmanager
def _locked(request: Request) -> Iterator[RunRecord | None]:
    """The run as stored, or None for a new one, with its lock held."""
    if request.path.exists() and not request.resume:
        raise UsageError(
            f"{request.path} exists already", "Go on with it: --resume. Or name another file for a new run: --out."
        )
    if not request.path.exists():  # a run that cannot begin leaves no trace
        check(request)
        _make_folder(request.path)
    with RunLock(request.path):
        if not request.path.exists():
            yield None
        elif not request.resume:  # somebody finished a run here while we waited at the door
            raise UsageError(f"{request.path} exists already", "Go on with it: --resume.")
        else:
            yield read_run(request.path)


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: its folder cannot be made: {error.strerror}", "Name another with --out.") from error


def resumed(request: Request, record: RunRecord) -> Request:
    """The request with the stored recipe. Raises `UsageError` where the user now asks for something else."""
    stored = CifarRecipe.from_dict(record.recipe)
    asked = request.recipe.resolved()
    if asked.precision == "auto":
        asked = replace(asked, precision=stored.precision)
    changed = {name: pair for name, pair in differences(stored, asked).items() if name in request.given}
    if changed:
        listed = "; ".join(f"{name} was {before}, now {now}" for name, (before, now) in changed.items())
        raise UsageError(
            f"{request.path} was trained with another recipe: {listed}",
            "Leave these options out to go on as before, or start a new run with another --out.",
        )
    threads = request.threads or record.sessions[-1].get("threads")
    return replace(request, recipe=stored, threads=threads)


def assemble(
    request: Request, observer: Observer, stop: StopSignals, record: RunRecord | None, stack: ExitStack
) -> Training:
    """A `Training` ready for the loop. `stack` ends the writer that belongs to it."""
    prepared = prepare(request)
    for line in describe(prepared):
        observer.note(line)
    worker, feed = start(request, prepared)
    recipe = prepared.recipe
    progress, metrics = Progress(warming_up=recipe.warms_up), Metrics()
    if record is not None:
        if not np.array_equal(prepared.mean, record.inputs["mean_image"]):
            raise DataError(
                f"the training images are not those that {request.path} was trained on (their mean image differs)",
                f"`rescli data verify {recipe.dataset}` checks them.",
            )
        progress, metrics = _restore(worker, record)
    facts = Facts(
        recipe=recipe,
        network=prepared.spec.name,
        environment=environment.describe(),
        sessions=[*(dict(session) for session in record.sessions)] if record else [],
        inputs={"mean_image": prepared.mean},
        analysis=record.analysis if record else {},
    )
    facts.sessions.append(_session(request, prepared, progress.iteration))
    writer = stack.enter_context(BackgroundWriter(request.path))
    return Training(
        recipe=recipe,
        worker=worker,
        order=Order(len(prepared.splits.train.labels), recipe.seed),
        feed=feed,
        tested=prepared.tested,
        progress=progress,
        metrics=metrics,
        checkpointer=Checkpointer(writer, facts, every_seconds=request.checkpoint_seconds),
        observer=observer,
        stop=stop,
    )


def _restore(worker: Worker, record: RunRecord) -> tuple[Progress, Metrics]:
    stored = {name: value for name, value in record.progress.items() if name != "diverged_at"}
    totals = Totals(**stored.pop("totals"))
    worker.load(State(model=record.model, momentum=record.momentum, totals=totals))
    return Progress.from_dict(stored), Metrics(record.metrics)


def _session(request: Request, prepared: Prepared, iteration: int) -> dict[str, Any]:
    device = prepared.backend.device()
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "first_iteration": iteration,
        "host": platform.node(),
        "pid": os.getpid(),
        "command": environment.command_line(),
        "backend": prepared.backend.name,
        "device": device.name,
        "threads": device.details.get("threads"),
        "deterministic": request.deterministic or prepared.backend.name == "cpu",
    }


def _outcome(path: Path, record: RunRecord, *, already: bool = False) -> Outcome:
    recipe = CifarRecipe.from_dict(record.recipe)
    tested = "val" if recipe.validation else "test"
    return Outcome(
        path=path,
        status=record.status,
        iteration=record.progress["iteration"],
        recipe=recipe,
        network=str(record.summary.get("network", recipe.spec(classes=10).name)),
        tested=tested,
        train=_last_row(record, "train"),
        test=_last_row(record, tested),
        seconds=record.progress["seconds"],
        already=already,
    )


def _last_row(record: RunRecord, name: str) -> dict[str, float] | None:
    columns = record.metrics.get(name)
    return {column: values[-1].item() for column, values in columns.items()} if columns else None
