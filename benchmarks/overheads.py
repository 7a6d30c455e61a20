"""What a run costs beside its training steps: metrics and progress, the store, evaluation, and the time to the first step.

    python -m benchmarks.overheads --depth 20 --iterations 200

The same iterations are run three times in turns, in one process: the bare worker, the engine's loop without a store and
progress, and the whole of it as `rescli train` does it. Shares are of the bare worker's time, medians over rounds. Then fresh
processes: from the start of Python to the end of the first step. Prints one JSON document.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import time
from contextlib import ExitStack, redirect_stderr
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from rescli.bench.pairs import Spread
from rescli.console.progress import Lines
from rescli.engine.checkpoint import Checkpointer
from rescli.engine.fit import Training, checkpoint, steps
from rescli.engine.observer import Silent
from rescli.engine.request import Request
from rescli.engine.stopping import StopSignals
from rescli.engine.train import assemble
from rescli.recipes.cifar import CifarRecipe

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


def run(recipe: CifarRecipe, path: Path, backend: str, *, how: str, every: float) -> dict[str, float]:
    """Seconds of the iterations, after ten that warm up; `how` is bare, silent or whole."""
    with ExitStack() as stack, redirect_stderr(io.StringIO()) as screen:
        stop = stack.enter_context(StopSignals())
        observer = Lines(every_seconds=1.0, write=lambda line: print(line, file=screen)) if how == "whole" else Silent()
        request = Request(
            recipe=recipe, path=path, backend=backend, checkpoint_seconds=every if how == "whole" else 1e9
        )
        training = assemble(request, observer, stop, None, stack)
        if how == "bare":
            return {"seconds": _bare(training)}
        checkpoint(training, "running")
        training.checkpointer.seconds = 0.0
        loop, start = steps(training), 0.0
        observer.begin(0, recipe.iterations, recipe.batch_size)
        for number, _ in enumerate(loop, start=1):
            if number == 10:
                training.worker.totals()
                start = time.perf_counter()
            if number == recipe.iterations:
                break
        training.worker.totals()
        taken = time.perf_counter() - start
        _no_more(training.checkpointer)
        return {"seconds": taken, "checkpoints": training.checkpointer.seconds}


def _bare(training: Training) -> float:
    recipe, start = training.recipe, 0.0
    training.worker.begin_epoch(training.feed.plan_tensors(training.order.epoch(0)))
    per_epoch = training.order.images // recipe.batch_size
    for iteration in range(recipe.iterations):
        first = iteration % per_epoch * recipe.batch_size
        training.worker.train_step(iteration, first, first + recipe.batch_size, 0.01)
        if iteration == 9:
            training.worker.totals()
            start = time.perf_counter()
    training.worker.totals()
    return time.perf_counter() - start


def _no_more(checkpointer: Checkpointer) -> None:
    checkpointer._writer.flush()


def first_step(depth: int, backend: str, folder: Path, number: int) -> float:
    """Seconds from the start of a fresh Python to the end of the first step."""
    path = folder / f"first-{backend}-{number}.h5"
    command = [sys.executable, "-W", "ignore", "-c", FIRST_STEP, str(depth), str(path), backend]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def main() -> None:
    """Measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=110)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--checkpoint-every", type=float, default=60.0, help="seconds; 0: after every iteration")
    parser.add_argument("--backend", default="auto")
    options = parser.parse_args()
    recipe = CifarRecipe(
        dataset="synthetic", depth=options.depth, iterations=options.iterations, eval_every=10**9, log_every=10
    )
    found: dict[str, list[dict[str, float]]] = {"bare": [], "silent": [], "whole": []}
    with TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(options.rounds):
            for how, results in found.items():
                path = folder / f"{how}-{number}.h5"
                results.append(run(recipe, path, options.backend, how=how, every=options.checkpoint_every))
        starts = [first_step(options.depth, options.backend, folder, number) for number in range(options.rounds)]
    bare = [one["seconds"] for one in found["bare"]]
    document: dict[str, Any] = {"depth": options.depth, "iterations_timed": options.iterations - 10}
    for how in ("silent", "whole"):
        shares = [100 * (one["seconds"] / base - 1) for one, base in zip(found[how], bare, strict=True)]
        document[f"{how}_over_bare_percent"] = Spread.of(shares).to_dict()
    whole = median(one["seconds"] for one in found["whole"])
    document["checkpoints_percent"] = 100 * median(one["checkpoints"] for one in found["whole"]) / whole
    document["seconds_to_first_step"] = Spread.of(starts).to_dict()
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
