"""What a checkpoint costs, and whether a killed writer ever costs a run.

python -m benchmarks.store                  # time a store of ResNet-1202's size: encode, write, read, stall
python -m benchmarks.store --kills 200      # SIGKILL a writer 200 times at random moments as well
python -m benchmarks.store --json           # the same numbers for a program
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from rescli.store.header import check_digest
from rescli.store.reader import read_run
from rescli.store.record import RunRecord
from rescli.store.replace import replace
from rescli.store.writer import BackgroundWriter, encode, write_run


def resnet1202(iteration: int = 0) -> RunRecord:
    """A record shaped like that of ResNet-1202 on CIFAR-10: 19.4 M parameters, their momentum, and BN statistics."""
    random_numbers = np.random.default_rng(iteration)
    model: dict[str, Any] = {}
    momentum: dict[str, Any] = {}

    def add(name: str, shape: tuple[int, ...]) -> None:
        model[name] = random_numbers.standard_normal(shape, dtype=np.float32)
        momentum[name] = random_numbers.standard_normal(shape, dtype=np.float32)

    def convolution(name: str, inputs: int, outputs: int) -> None:
        add(f"{name}.weight", (outputs, inputs, 3, 3))
        for part in ("weight", "bias"):
            add(f"{name}.bn.{part}", (outputs,))
        for part in ("running_mean", "running_var"):
            model[f"{name}.bn.{part}"] = np.ones(outputs, np.float32)

    convolution("stem", 3, 16)
    for stage, width in enumerate((16, 32, 64)):
        for block in range(200):
            first = width // 2 if stage and not block else width
            convolution(f"stage{stage + 1}.{block}.conv1", first, width)
            convolution(f"stage{stage + 1}.{block}.conv2", width, width)
    add("head.weight", (10, 64))
    add("head.bias", (10,))
    return small(iteration, model=model, momentum=momentum, rows=640)


def small(iteration: int, *, model: Any = None, momentum: Any = None, rows: int = 100) -> RunRecord:
    """A record whose every array holds `iteration`, if no tensors are given."""
    if model is None:
        model = momentum = {f"layer{i}.weight": np.full(8192, iteration, np.float32) for i in range(40)}
    columns = {name: np.arange(rows, dtype=np.float64) for name in ("iteration", "loss", "error", "learning_rate")}
    return RunRecord(
        status="running",
        recipe={"net": "resnet1202", "dataset": "cifar10"},
        environment={"python": "3"},
        progress={"iteration": iteration},
        sessions=[],
        metrics={"train": columns, "test": columns},
        inputs={"mean_image": np.full((32, 32, 3), 0.5, np.float32)},
        model=model,
        momentum=momentum,
        summary={"status": "running", "iteration": iteration},
    )


def timings(folder: Path, repeats: int) -> dict[str, Any]:
    """Seconds (median and standard deviation over `repeats`) that each part takes, and the size of the store."""
    path = folder / "run.h5"
    record = resnet1202(1)
    data = encode(record)
    found: dict[str, list[float]] = {}

    def clock(name: str, work: Callable[[], object]) -> None:
        started = time.perf_counter()
        work()
        found.setdefault(name, []).append(time.perf_counter() - started)

    for _ in range(repeats):
        clock("encode", lambda: encode(record))
        clock("write (replace)", lambda: replace(path, data))
        clock("encode + write", lambda: write_run(path, record))
        clock("read, with tensors", lambda: read_run(path))
        clock("read, without tensors", lambda: read_run(path, tensors=False))
        with BackgroundWriter(path) as writer:
            clock("stall of submit", lambda: writer.submit(record))
        with BackgroundWriter(path) as writer:
            clock("stall of submit, copy=False", lambda: writer.submit(record, copy=False))
    return {
        "megabytes": len(data) / 1e6,
        "tensors": len(record.model) + len(record.momentum),
        "repeats": repeats,
        "seconds": {
            name: {"median": statistics.median(times), "deviation": statistics.stdev(times)}
            for name, times in found.items()
        },
    }


def kill_trials(folder: Path, kills: int, seed: int) -> dict[str, Any]:
    """SIGKILL a process that writes stores without a pause, `kills` times, while another reads them without a pause.

    Counts stores that cannot be read, are torn (tensors of another iteration than they say), or are older than one whose
    `write_run` had returned. The process that calls this must have no threads, for it forks.
    """
    path = folder / "run.h5"
    write_run(path, small(0))
    moments = random.Random(seed)
    counted = {"kills": kills, "unreadable": 0, "torn": 0, "lost": 0, "previous_unreadable": 0, "generations": 0}
    reader = _forked(lambda: _read_until_gone(path, folder / "stop"))
    iteration = 0
    for _ in range(kills):
        receiver, sender = os.pipe()
        writer = _forked(lambda first=iteration + 1, to=sender: _write_forever(path, first, to))  # type: ignore[misc]
        os.close(sender)
        time.sleep(moments.uniform(0.005, 0.25))
        os.kill(writer, signal.SIGKILL)
        os.waitpid(writer, 0)
        returned = len(_drain(receiver))
        counted["generations"] += returned
        for name, problem in _problems(path, iteration + returned):
            counted[name] += problem
        iteration = int(read_run(path, tensors=False).progress["iteration"])
    (folder / "stop").touch()
    counted["reader_failed"] = os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1])
    return counted


def _problems(path: Path, at_least: int) -> Iterator[tuple[str, int]]:
    """What is wrong with the store after a kill."""
    try:
        record = read_run(path)
    except Exception:
        yield "unreadable", 1
    else:
        says = record.progress["iteration"]
        yield "torn", int(any((array != says).any() for array in (*record.model.values(), *record.momentum.values())))
        yield "lost", int(says < at_least)
    try:
        check_digest(path.with_name("run.h5.prev"))
    except Exception:
        yield "previous_unreadable", int(path.with_name("run.h5.prev").exists())


def _forked(work: Callable[[], None]) -> int:
    """Run `work` in a child process and return its number; the exit code is 1 when `work` raises."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)


def _write_forever(path: Path, iteration: int, acknowledge: int) -> None:
    while True:
        write_run(path, small(iteration))
        os.write(acknowledge, b".")
        iteration += 1


def _read_until_gone(path: Path, stop: Path) -> None:
    while not stop.exists():
        record = read_run(path)
        assert all((array == record.progress["iteration"]).all() for array in record.model.values())


def _drain(descriptor: int) -> bytes:
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _table(found: dict[str, Any]) -> Iterator[str]:
    if "timing" in found:
        timing = found["timing"]
        yield f"A store of {timing['tensors']} tensors, {timing['megabytes']:.0f} MB; {timing['repeats']} repeats"
        yield f"{'':30}{'median s':>10}{'deviation':>11}"
        for name, row in timing["seconds"].items():
            yield f"{name:30}{row['median']:10.3f}{row['deviation']:11.3f}"
    if "killing" in found:
        yield "A writer killed at random moments: " + ", ".join(f"{k} {v}" for k, v in found["killing"].items())


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the run store and kill its writer.")
    parser.add_argument("--repeats", type=int, default=7, help="how often each part is timed; 0 leaves timing out")
    parser.add_argument("--kills", type=int, default=200, help="how often a writer is killed; 0 leaves it out")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills")
    parser.add_argument("--folder", type=Path, help="where to write (a temporary folder there is removed again)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        if options.kills:
            found["killing"] = kill_trials(Path(folder), options.kills, options.seed)
        if options.repeats:
            found["timing"] = timings(Path(folder), max(2, options.repeats))
    print(json.dumps(found, indent=2) if options.json else "\n".join(_table(found)))


if __name__ == "__main__":
    main()
