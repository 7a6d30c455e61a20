"""A stand-in for `rescli train cifar`: takes its arguments, holds the lock, writes stores, hears signals; learns nothing.

It does without torch, so that tests can run many. What it should do otherwise stands in TRAINER, a JSON object of run names:
"fail" (exit code 1), "refuse" (before it has the lock, exit code 5), "hang" (until a signal), "linger" (and a second longer),
"die" (SIGKILL).
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from rescli.engine.stopping import StopSignals
from rescli.errors import StoreError
from rescli.recipes.cifar import CifarRecipe
from rescli.store.lock import RunLock
from rescli.store.record import RunRecord
from rescli.store.writer import write_run


def main(words: list[str]) -> int:
    options = {
        word.removeprefix("--"): words[number + 1] for number, word in enumerate(words[:-1]) if word.startswith("--")
    }
    path = Path(options["out"])
    recipe = CifarRecipe(
        dataset=options.get("dataset", "cifar10"),
        depth=int(options["depth"]),
        plain="--plain" in words,
        warmup=False if "--no-warmup" in words else None,
        seed=int(options["seed"]),
        iterations=int(options["iterations"]),
        precision="fp32",
    ).resolved()
    wish = json.loads(os.environ.get("TRAINER", "{}")).get(path.stem, "")
    print("trained with", options.get("threads"), "threads on", os.environ.get("CUDA_VISIBLE_DEVICES"))
    if wish == "refuse":
        print("Error: backend 'cuda' failed")
        return 5
    try:
        with RunLock(path), StopSignals() as stop:
            if wish == "fail":
                print("Error: it went wrong\nTry again.")
                return 1
            half = recipe.iterations // 2
            write_run(path, a_record(recipe, half, "running"))
            if wish == "die":
                os.kill(os.getpid(), signal.SIGKILL)
            while wish in ("hang", "linger") and stop.received is None:
                time.sleep(0.02)
            if stop.received is not None:
                time.sleep(wish == "linger")
                write_run(path, a_record(recipe, half, "stopped"))
                print(f"Stopped: {stop.received.name} after iteration {half}, with a checkpoint in {path}")
                return 130 if stop.received is signal.SIGINT else 75
            write_run(path, a_record(recipe, recipe.iterations, "finished"))
    except StoreError as error:
        print(f"Error: {error.message}")
        return error.exit_code
    return 0


def a_record(recipe: CifarRecipe, iteration: int, status: Any) -> RunRecord:
    """Errors fall with depth for residual nets, and rise for plain ones."""
    error = 10.0 + recipe.depth / 20 * (1 if recipe.plain else -0.5) + 0.1 * recipe.seed
    at = np.arange(1, iteration + 1)
    rows = {"iteration": at, "error": np.linspace(90, error, len(at)), "loss": np.ones(len(at))}
    network = recipe.spec(classes=10).name
    return RunRecord(
        status=status,
        recipe=recipe.to_dict(),
        environment={"rescli": "0", "system": "a machine", "source": "abc"},
        progress={"iteration": iteration, "seconds": 60.0, "warmup_ended": 1 if recipe.warms_up else None},
        sessions=[
            {"host": "a host", "pid": 1, "command": "rescli /a/path", "device": "a processor", "backend": "cpu"}
            | {"threads": 1, "torch": "2.9"}
        ],
        metrics={"train": rows, "test": {name: values[-1:] for name, values in rows.items()}},
        inputs={"mean_image": np.zeros((32, 32, 3), np.float32)},
        model={},
        momentum={},
        summary={
            "status": status,
            "iteration": iteration,
            "iterations": recipe.iterations,
            "network": network,
            "dataset": recipe.dataset,
            "seed": recipe.seed,
            "test_error": error,
            "precision": recipe.precision,
        },
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
