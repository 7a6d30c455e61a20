"""One training run from a request to a finished store: put together, started or resumed, and run."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from rescli.backends.team import join, leave
from rescli.engine import environment
from rescli.engine.checkpoint import Checkpointer, Facts
from rescli.engine.fit import Training, checkpoint, fit
from rescli.engine.observer import Observer, Silent
from rescli.engine.prepare import Prepared, check, describe, prepare, start
from rescli.engine.progress import Metrics, Progress
from rescli.engine.request import Outcome, Request
from rescli.engine.resume import check_same, inexact, restore, resumed
from rescli.engine.stopping import StopSignals
from rescli.errors import StoreError, UsageError
from rescli.program import command_line
from rescli.recipes.stored import recipe_of
from rescli.store.header import read_header
from rescli.store.lock import RunLock
from rescli.store.problems import ForeignFile
from rescli.store.reader import read_run
from rescli.store.record import RunRecord
from rescli.store.target import check_name
from rescli.store.writer import BackgroundWriter, NoWriter


def train(request: Request, observer: Observer | None = None, stop: StopSignals | None = None) -> Outcome:
    """Train, or go on training, into `request.path`. `stop` is for a caller who listens to signals already.

    Raises `StoppedEarly` or `Interrupted` after a signal (with a checkpoint written), and any other `RescliError`.
    """
    with ExitStack() as stack:
        stop = stop or stack.enter_context(StopSignals())
        team = join()
        stack.callback(leave)
        observer = observer if observer is not None and team.first else Silent()
        record = team.from_first(lambda: stack.enter_context(locked(request)))
        if record is not None:
            request = resumed(request, record)
            if record.status == "finished":
                return outcome(request.path, record, already=True)
            observer.note(f"going on after iteration {record.progress['iteration']} of {request.recipe.iterations}")
        run = assemble(request, observer, stop, record, stack)
        stack.callback(observer.end)
        checkpoint(run, "running")  # at once: whether it can be written, and who is at work on it
        finished = fit(run)
        if not finished:
            error = stop.error(str(request.path), run.progress.iteration)
            error.told = not team.first
            raise error
        assert run.checkpointer.last is not None
        return outcome(request.path, run.checkpointer.last)


@contextmanager
def locked(request: Request) -> Iterator[RunRecord | None]:
    """The run as stored, or None for a new one, with its lock held."""
    begins = not there(request.path)
    if not begins and not request.resume:
        raise taken(request.path)
    if begins:  # a run that cannot begin leaves no trace
        check_name(request.path)
        check(request)
        _make_folder(request.path)
    with RunLock(request.path):
        if not there(request.path):
            yield None
        elif not request.resume:  # somebody finished a run here while we waited at the door
            raise taken(request.path)
        else:
            yield read_run(request.path)


def taken(path: Path) -> UsageError:
    """The error for a new run where there is something already: a run that can go on, or nothing of ours."""
    try:
        read_header(path)
    except ForeignFile:
        return UsageError(f"{path} exists already, and is no run", "Name another file for the run: --out.")
    except StoreError:  # --resume says what is wrong with it, and what may help
        pass
    return UsageError(f"{path} exists already", "Go on with it: --resume. Or name another file for a new run: --out.")


def there(path: Path) -> bool:
    """Whether a run's file is. Raises `StoreError` where that cannot be found out."""
    try:
        return path.exists()
    except OSError as error:  # a folder on the way may not be entered
        raise StoreError(f"{path}: cannot be looked for: {error.strerror}", "Name another file with --out.") from error


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{path}: its folder cannot be made: {error.strerror}", "Name another with --out.") from error


def assemble(
    request: Request, observer: Observer, stop: StopSignals, record: RunRecord | None, stack: ExitStack
) -> Training:
    """A `Training` ready for the loop. `stack` ends the writer that belongs to it."""
    prepared = prepare(request, observer, stop)
    if record is not None:
        check_same(request, prepared, record)
    for line in describe(prepared):
        observer.note(line)
    worker = start(request, prepared)
    stack.callback(worker.close)
    recipe = prepared.recipe
    progress, metrics = restore(worker, record) if record else (Progress(warming_up=recipe.warms_up), Metrics())
    session = _session(request, prepared, progress.iteration)
    sessions = [dict(before) for before in record.sessions] if record else []
    if sessions and (why := inexact(sessions[-1], session)):
        observer.note(why)
    facts = Facts(
        recipe=recipe,
        network=prepared.spec.name,
        environment=environment.describe(),
        sessions=[*sessions, session],
        inputs=prepared.source.inputs,
        analysis=record.analysis if record else {},
    )
    writer = stack.enter_context(BackgroundWriter(request.path) if prepared.team.first else NoWriter())
    return Training(
        recipe=recipe,
        worker=worker,
        supply=stack.enter_context(prepared.source.supply()),
        progress=progress,
        metrics=metrics,
        checkpointer=Checkpointer(writer, facts, every_seconds=request.checkpoint_seconds),
        observer=observer,
        stop=stop,
        team=prepared.team,
    )


def _session(request: Request, prepared: Prepared, iteration: int) -> dict[str, Any]:
    device = prepared.backend.device()
    return {
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "first_iteration": iteration,
        "host": platform.node(),
        "pid": os.getpid(),
        "command": command_line(),
        "backend": prepared.backend.name,
        "device": device.name,
        "threads": device.details.get("threads"),
        "deterministic": request.deterministic,
        "processes": prepared.team.size,
        "compile": request.compile,
        "checkpoint_activations": request.checkpoint_activations,
        "accumulate": request.parts,
        **prepared.source.facts,
        **environment.versions(),
    }


def outcome(path: Path, record: RunRecord, *, already: bool = False) -> Outcome:
    """How the run in this store stands."""
    recipe = recipe_of(record.recipe)
    tested = recipe.tested
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
