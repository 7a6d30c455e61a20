"""Kill a training process at random moments, resume it, and compare the outcome with a run that nobody touched.

    python -m benchmarks.kills --kills 200 --precision fp32

Each trial is a real process with the real command line, killed with SIGKILL. Meanwhile another process reads the store as
fast as it can. Prints a JSON document; exits 1 if any store was unreadable or any byte of weights or metrics differs.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rescli.errors import StoreError
from rescli.store.problems import MissingStore
from rescli.store.reader import read_run, verify
from rescli.store.record import RunRecord


def command(path: Path, options: argparse.Namespace) -> list[str]:
    """The command line of a trial."""
    return [
        *("rescli", "train", "cifar", "--dataset", "synthetic", "--depth", str(options.depth), "--resume"),
        *(
            "--batch-size",
            "32",
            "--iterations",
            str(options.iterations),
            "--precision",
            options.precision,
            "--out",
            str(path),
        ),
        *("--log-every", "7", "--eval-every", "25", "--checkpoint-every", "0.1", "--threads", "1"),
    ]


def child(arguments: list[str], log: Path) -> int:
    """Fork a process that runs the command line; return its pid. Forked, it need not import torch again."""
    pid = os.fork()
    if pid:
        return pid
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    sys.argv = arguments
    from rescli.cli import main

    try:
        main()
    except SystemExit as leaving:
        os._exit(leaving.code if isinstance(leaving.code, int) else 1)
    finally:
        os._exit(1)


def reader(path: Path, report: Path) -> int:
    """Fork a process that reads the store again and again, and keeps `report` up to date; return its pid."""
    pid = os.fork()
    if pid:
        return pid
    good, bad = 0, []
    while True:
        if path.exists():
            try:
                read_run(path, tensors=False)
                good += 1
            except MissingStore:
                pass  # a run that had ended was removed between the two lines above
            except StoreError as error:
                bad.append(str(error))
            new = report.with_suffix(".new")  # replaced as a whole: this process, too, ends by SIGKILL
            new.write_text(json.dumps({"reads": good, "unreadable": bad}))
            new.replace(report)
        time.sleep(0.005)


PARTS = ("status", "recipe", "progress", "metrics", "inputs", "model", "momentum")
"""Of a run, all that training decides; sessions, environment and summary say when and where it was."""


def same(ours: RunRecord, theirs: RunRecord) -> list[str]:
    """Names of everything in which two runs differ, whichever of them has it, arrays by type, shape and bytes.

    Not the seconds that they took.
    """
    mine, other = _leaves(ours), _leaves(theirs)
    return sorted(name for name in mine.keys() | other.keys() if mine.get(name) != other.get(name))


def _leaves(run: RunRecord) -> dict[str, object]:
    """Everything in a run by its path, as what can be compared."""
    found: dict[str, object] = {}

    def walk(path: str, value: object) -> None:
        if isinstance(value, Mapping):
            for name, item in value.items():
                walk(f"{path}/{name}", item)
        elif isinstance(value, np.ndarray):
            found[path] = value.dtype, value.shape, value.tobytes()
        else:
            found[path] = type(value), repr(value)

    for part in PARTS:
        walk(part, getattr(run, part))
    return {name: value for name, value in found.items() if not name.endswith("/seconds")}


def untouched(folder: Path, options: argparse.Namespace) -> tuple[RunRecord, float]:
    """The run that nobody kills, and how many seconds it took."""
    path = folder / "untouched.h5"
    before = time.monotonic()
    _, status = os.waitpid(child(command(path, options), folder / "untouched.log"), 0)
    if status:
        raise SystemExit((folder / "untouched.log").read_text())
    return read_run(path), time.monotonic() - before


def trial(path: Path, folder: Path, options: argparse.Namespace, after: float | None) -> bool:
    """One process, killed after so many seconds (None: never). Returns whether it ended by itself, and well."""
    pid = child(command(path, options), folder / "trials.log")
    until = None if after is None else time.monotonic() + after
    while until is None or time.monotonic() < until:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            if status:
                raise SystemExit(f"a trial failed by itself:\n{(folder / 'trials.log').read_text()[-2000:]}")
            return True
        time.sleep(0.002)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return False


def experiment(options: argparse.Namespace) -> dict[str, Any]:
    """Kill, resume, and so on until there were enough kills; a run that gets to its end is compared and begun anew."""
    import rescli.engine.train  # noqa: F401 - imported once, before the first fork

    chance = random.Random(options.seed)
    kills = runs = 0
    different: list[str] = []
    unreadable: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        expected, seconds = untouched(folder, options)
        path, report = folder / "killed.h5", folder / "reads.json"
        reading = reader(path, report)
        try:
            while kills < options.kills or path.exists():
                ended = trial(path, folder, options, chance.uniform(0, seconds) if kills < options.kills else None)
                kills += not ended
                if path.exists():
                    try:
                        verify(path)
                    except StoreError as error:
                        unreadable.append(str(error))
                if ended:
                    different += same(expected, read_run(path))
                    runs += 1
                    path.unlink()
        finally:
            os.kill(reading, signal.SIGKILL)
            os.waitpid(reading, 0)
        reads = json.loads(report.read_text())
    return {
        "kills": kills,
        "finished_runs": runs,
        "different": different,
        "unreadable_after_kill": unreadable,
        "reads_meanwhile": reads["reads"],
        "unreadable_meanwhile": reads["unreadable"],
        "precision": options.precision,
        "seconds_untouched": seconds,
    }


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--depth", type=int, default=8)
    parser.add_argument("--iterations", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    outcome = experiment(parse())
    print(json.dumps(outcome, indent=2))
    sys.exit(1 if outcome["different"] or outcome["unreadable_after_kill"] or outcome["unreadable_meanwhile"] else 0)
