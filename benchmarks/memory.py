"""How far the memory that `--dry-run` predicts is from what training takes on this processor.

    python -m benchmarks.memory --depth 20 56 110

Each net trains a few steps in a process of its own; what it takes is the rise of the peak resident memory from just before the
network was made. Prints a JSON document with both figures in bytes, and their ratio.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path

from rescli.models.cifar import cifar_spec
from rescli.profiling.memory import training_memory

STEPS = 3


def measure(depth: int, precision: str) -> int:
    """Bytes that a few training steps take in this process, which should do nothing else."""
    from rescli.data.order import Order
    from rescli.engine.prepare import prepare, start
    from rescli.engine.request import Request
    from rescli.recipes.cifar import CifarRecipe

    recipe = CifarRecipe.from_dict({"dataset": "synthetic", "depth": depth, "precision": precision})
    request = Request(recipe=recipe, path=Path("unused.h5"), backend="cpu")
    prepared = prepare(request)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    worker, feed = start(request, prepared)
    worker.begin_epoch(feed.plan_tensors(Order(len(prepared.splits.train), 0).epoch(0)))
    for step in range(STEPS):
        worker.train_step(step, 128 * step, 128 * (step + 1), 0.01)
    worker.totals()
    return 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)


def main() -> None:
    """Parse, measure in fresh processes, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, nargs="+", default=[20, 56, 110])
    parser.add_argument("--precision", nargs="+", default=["fp32", "bf16"])
    parser.add_argument("--here", action="store_true", help="measure one net in this process")
    options = parser.parse_args()
    if options.here:
        print(measure(options.depth[0], options.precision[0]))
        return
    rows = []
    for depth in options.depth:
        for precision in options.precision:
            command = [
                sys.executable,
                "-m",
                "benchmarks.memory",
                "--here",
                "--depth",
                str(depth),
                "--precision",
                precision,
            ]
            taken = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            predicted = training_memory(cifar_spec(depth), batch=128, precision=precision).peak
            rows.append(
                {
                    "depth": depth,
                    "precision": precision,
                    "taken": taken,
                    "predicted": predicted,
                    "ratio": taken / predicted,
                }
            )
    print(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
