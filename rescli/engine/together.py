"""Several runs in one process, in turns: the paper's five ResNet-110 at once on one GPU (Table 6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from rescli.engine.fit import Training, checkpoint, steps
from rescli.engine.observer import Observer, Silent
from rescli.engine.request import Outcome, Request
from rescli.engine.resume import resumed
from rescli.engine.stopping import StopSignals
from rescli.engine.train import assemble, locked, outcome
from rescli.errors import RescliError, UsageError
from rescli.program import processes


def train_together(
    requests: Sequence[Request], observer: Observer | None = None, stop: StopSignals | None = None
) -> list[Outcome]:
    """Train each request into its own store, one iteration of each in turn; what one is waiting for, another may use.

    A run that fails does not stop the others: its error is raised when they are done, as `StoppedEarly` and
    `Interrupted` are after a signal. Raises `UsageError` in a job of several processes.
    """
    if processes() > 1:
        raise UsageError("several seeds at once and several processes exclude one another", "Leave one of them out.")
    observer = observer or Silent()
    with ExitStack() as stack:
        stop = stop or stack.enter_context(StopSignals())
        done: dict[int, Outcome] = {}
        runs: dict[int, Training] = {}
        # All doors first: where one run cannot begin, none has left a trace.
        records = [stack.enter_context(locked(request)) for request in requests]
        settled = [
            request if record is None else resumed(request, record)
            for request, record in zip(requests, records, strict=True)
        ]
        for number, (request, record) in enumerate(zip(settled, records, strict=True)):
            if record is not None and record.status == "finished":
                done[number] = outcome(request.path, record, already=True)
                continue
            # One bar, that of the first run at work: the others are as far.
            runs[number] = assemble(request, Silent() if runs else observer, stop, record, stack)
        for run in runs.values():
            checkpoint(run, "running")
        stack.callback(observer.end)
        failures = _in_turns(runs, observer)
        for number, run in runs.items():
            if number not in failures and run.checkpointer.last is not None:
                done[number] = outcome(requests[number].path, run.checkpointer.last)
        if not all(run.finished for number, run in runs.items() if number not in failures):  # these can go on
            paths = ", ".join(str(requests[number].path) for number in runs)
            raise stop.error(paths, max(run.progress.iteration for run in runs.values()))
        if failures:
            raise next(iter(failures.values()))
        return [done[number] for number in range(len(requests))]


def _in_turns(runs: dict[int, Training], observer: Observer) -> dict[int, RescliError]:
    """Bring every run to its end; the errors of those that failed."""
    failures: dict[int, RescliError] = {}
    going = {number: steps(run) for number, run in runs.items()}
    while going:
        going = {number: run for number, run in going.items() if _next(number, run, failures)}
    for number, error in failures.items():
        observer.note(f"seed {runs[number].recipe.seed}: {error.message}")
    return failures


def _next(number: int, run: Iterator[None], failures: dict[int, RescliError]) -> bool:
    """One iteration; whether there are more to come."""
    try:
        next(run)
    except StopIteration:
        return False
    except RescliError as error:
        failures[number] = error
        return False
    return True
