"""A checkpoint as a run store beside `torch.save` of the same tensors: writing it safely, and reading it back."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter

import numpy as np
import torch

from rescli.bench.pairs import duel
from rescli.bench.versus import Versus
from rescli.models.build import build
from rescli.models.cifar import cifar_spec
from rescli.models.names import label
from rescli.store.reader import read_run
from rescli.store.record import RunRecord
from rescli.store.writer import BackgroundWriter, write_run


def measure_store(depths: list[int], *, folder: Path, pairs: int) -> Iterator[Versus]:
    """For each net: writing, reading, and how long the training loop is held up. Raises `UsageError` and `StoreError`."""
    for spec in [cifar_spec(depth) for depth in depths]:
        with TemporaryDirectory(dir=folder) as name:
            yield from _duels(label(spec), build(spec).state_dict(), Path(name), pairs)


def _duels(network: str, state: dict[str, torch.Tensor], folder: Path, pairs: int) -> list[Versus]:
    record, tensors = _checkpoint(state)
    path, other = folder / "run.h5", folder / "run.pt"
    save = _timed(lambda: _save(other, tensors))
    write = duel(_timed(lambda: write_run(path, record)), save, pairs=pairs)
    read = duel(_timed(lambda: read_run(path)), _timed(lambda: torch.load(other, weights_only=True)), pairs=pairs)
    with BackgroundWriter(path) as writer:
        before = perf_counter()
        writer.submit(record)
        held_up = perf_counter() - before
    megabytes = path.stat().st_size / 1e6
    extra = {"network": network, "megabytes": megabytes, "held_up_seconds": held_up}
    return [
        Versus(what=what, amount=megabytes, unit="MB/s", rival=rival, duel=found, extra=extra)
        for what, found, rival in (("write", write, "torch.save and fsync"), ("read", read, "torch.load"))
    ]


def _checkpoint(state: dict[str, torch.Tensor]) -> tuple[RunRecord, dict[str, dict[str, torch.Tensor]]]:
    """Weights, and momentum of the same size, both ways."""
    model = {name: value.numpy() for name, value in state.items()}
    momentum = {name: np.zeros_like(value) for name, value in model.items() if "running" not in name}
    record = RunRecord(
        status="running",
        recipe={},
        environment={},
        progress={"iteration": 1},
        sessions=[],
        metrics={},
        inputs={},
        model=model,
        momentum=momentum,
    )
    return record, {"model": state, "momentum": {name: torch.from_numpy(value) for name, value in momentum.items()}}


def _save(path: Path, tensors: dict[str, dict[str, torch.Tensor]]) -> None:
    """As carefully as a store is written: complete, on the disk, and then in its place."""
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    beside = path.with_suffix(".tmp")
    with beside.open("wb") as file:
        file.write(buffer.getbuffer())
        os.fsync(file.fileno())
    beside.replace(path)


def _timed(work: Callable[[], object]) -> Callable[[], float]:
    def sample() -> float:
        start = perf_counter()
        work()
        return perf_counter() - start

    return sample
