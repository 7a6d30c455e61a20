"""What a run costs beside its training steps: the loop with metrics and progress, the store, evaluation, and the start.

    RESCLI_DATA=... python -m benchmarks.overheads --depth 20 --iterations 1000

One run as `rescli train` does it, with a clock at the door of everything the loop calls. What is not a training step or an
evaluation is the loop's own work; the processor's steps are over when the call returns, and on CUDA, where they are not, this
is how long Python keeps the host busy while the device works. The store costs what the loop hands over and, at most, what the
writer's thread takes beside it; both are also given for one checkpoint a minute, which is what a long run does. Then the same
loop against bare calls of the worker, a few iterations of each in turns. Last, fresh processes: from the start of Python to
the end of the first step. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, redirect_stderr
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rescli.bench.pairs import Spread, duel
from rescli.console.progress import Lines
from rescli.engine.checkpoint import EVERY_SECONDS
from rescli.engine.fit import Training, checkpoint, steps
from rescli.engine.request import Request
from rescli.engine.stopping import StopSignals
from rescli.engine.train import assemble
from rescli.recipes.cifar import CifarRecipe

WARM_UP = 10
"""Iterations before the clock starts: graphs are recorded, allocators filled, kernels chosen."""

FIRST_STEP = (
    "import time; start = time.time()\n"
    "from pathlib import Path\n"
    "from rescli.engine.observer import Silent\n"
    "from rescli.engine.request import Request\n"
    "from rescli.engine.train import train\n"
    "from rescli.recipes.cifar import CifarRecipe\n"
    "import sys\n"
    "recipe = CifarRecipe(dataset='synthetic', depth=int(sys.argv[1]), iterations=1, eval_every=1000, log_every=1)\n"
    "class First(Silent):\n"
    "    def row(self, split, row):\n"
    "        if split == 'train': print(time.time() - start)\n"
    "train(Request(recipe=recipe, path=Path(sys.argv[2]), backend=sys.argv[3]), First())\n"
)


class Clock:
    """Adds up the seconds inside the functions it is put around."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.calls = 0

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        def timed(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return call(*arguments, **named)
            finally:
                self.seconds += time.perf_counter() - start
                self.calls += 1

        return timed


def shares(training: Training) -> dict[str, Any]:
    """One run from its warmed-up beginning to its end; shares in % of its whole time."""
    step, evaluation, save, write = Clock(), Clock(), Clock(), Clock()
    worker, checkpointer = training.worker, training.checkpointer
    loop = steps(training)
    for _ in range(WARM_UP):
        next(loop)
    worker.totals()
    worker.train_step = step.around(worker.train_step)  # type: ignore[method-assign]
    worker.totals = step.around(worker.totals)  # type: ignore[method-assign]
    worker.evaluate = evaluation.around(worker.evaluate)  # type: ignore[method-assign]
    worker.state = save.around(worker.state)  # type: ignore[method-assign]
    checkpointer.save = save.around(checkpointer.save)  # type: ignore[method-assign]
    checkpointer._writer._write = write.around(checkpointer._writer._write)  # type: ignore[method-assign]
    start = time.perf_counter()
    for _ in loop:
        pass
    whole = time.perf_counter() - start
    per_checkpoint = (save.seconds + write.seconds) / (save.calls / 2)
    own = whole - step.seconds - evaluation.seconds - save.seconds
    recipe = training.recipe
    each, evaluated = step.seconds / (recipe.iterations - WARM_UP), evaluation.seconds / evaluation.calls
    return {
        "seconds": whole,
        "milliseconds_a_step": 1000 * each,
        "loop_metrics_progress_percent": 100 * own / (whole - evaluation.seconds),
        "store_percent": 100 * (save.seconds + write.seconds) / (whole - evaluation.seconds),
        "checkpoints": save.calls // 2,
        "seconds_a_checkpoint": per_checkpoint,
        "store_percent_at_one_a_minute": 100 * per_checkpoint / EVERY_SECONDS,
        "seconds_an_evaluation": evaluated,
        # As in the paper's run of 64k iterations, which is tested 64 times.
        "evaluation_percent_every_1000_iterations": 100 * evaluated / (1000 * each + evaluated),
    }


def against_bare(training: Training, bare: Training, *, each: int, pairs: int) -> Spread:
    """How much longer the loop takes than bare calls of a worker like its own, in %; `each` iterations at a time."""
    loop, calls = steps(training), _bare(bare)

    def timed(going: Iterator[None], worker: Any) -> Callable[[], float]:
        def some() -> float:
            start = time.perf_counter()
            for _ in range(each):
                next(going)
            worker.totals()
            return time.perf_counter() - start

        return some

    fight = duel(timed(loop, training.worker), timed(calls, bare.worker), pairs=pairs)
    return Spread.of([100 * (ours / theirs - 1) for ours, theirs in zip(fight.ours, fight.theirs, strict=True)])


def _bare(training: Training) -> Iterator[None]:
    """The same iterations, nothing else."""
    for iteration in itertools.count():
        first, last = training.supply.give(training.worker, iteration)
        training.worker.train_step(iteration, first, last, 0.01)
        yield


def first_step(depth: int, backend: str, folder: Path, number: int) -> float:
    """Seconds from the start of a fresh Python to the end of the first step."""
    path = folder / f"first-{backend}-{number}.h5"
    command = [sys.executable, "-W", "ignore", "-c", FIRST_STEP, str(depth), str(path), backend]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=1000)
    parser.add_argument("--dataset", default="synthetic", help="cifar10 for evaluations of 10,000 images")
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--checkpoint-every", type=float, default=10.0, help="seconds")
    parser.add_argument("--backend", default="auto")
    options = parser.parse_args()
    log_every = 10  # the densest rows that a run has by itself
    recipe = CifarRecipe(
        dataset=options.dataset, depth=options.depth, iterations=options.iterations, log_every=log_every
    )
    endless = CifarRecipe(
        dataset=options.dataset, depth=options.depth, iterations=10**9, log_every=log_every, eval_every=10**9
    )
    document: dict[str, Any] = {"depth": options.depth, "dataset": options.dataset, "iterations": options.iterations}
    with TemporaryDirectory() as name, ExitStack() as stack, redirect_stderr(io.StringIO()) as screen:
        folder, stop = Path(name), stack.enter_context(StopSignals())

        def training(recipe: CifarRecipe, file: str) -> Training:
            observer = Lines(every_seconds=1.0, write=lambda line: print(line, file=screen))
            seconds = options.checkpoint_every
            request = Request(recipe=recipe, path=folder / file, backend=options.backend, checkpoint_seconds=seconds)
            run = assemble(request, observer, stop, None, stack)
            checkpoint(run, "running")
            return run

        document["run"] = shares(training(recipe, "run.h5"))
        spread = against_bare(training(endless, "loop.h5"), training(endless, "bare.h5"), each=10, pairs=options.pairs)
        document["whole_over_bare_percent"] = spread.to_dict()
        starts = [first_step(options.depth, options.backend, folder, number) for number in range(options.starts)]
    document["seconds_to_first_step"] = Spread.of(starts).to_dict()
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
