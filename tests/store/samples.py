"""Records and comparisons that the tests of the run store share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from rescli.errors import StoreError
from rescli.store.encode import encode
from rescli.store.header import HEADER_BYTES
from rescli.store.record import RunRecord

PARTS = (
    "status",
    "recipe",
    "environment",
    "progress",
    "sessions",
    "metrics",
    "inputs",
    "model",
    "momentum",
    "analysis",
)


def sample(iteration: int = 3, **changes: Any) -> RunRecord:
    """A small record with something in each of its parts."""
    numbers = np.random.default_rng(iteration)
    tensors = {
        "conv1.weight": numbers.standard_normal((4, 3, 3, 3), dtype=np.float32),
        "layer1.0.bn.weight": np.ones(4, np.float32),
    }
    contents: dict[str, Any] = {
        "status": "running",
        "recipe": {"net": "resnet20", "learning_rate": 0.1, "milestones": [32000, 48000]},
        "environment": {"python": "3.11", "command": "rescli train cifar resnet20"},
        "progress": {"iteration": iteration, "loss_sum": 0.1 + 0.2},
        "sessions": [{"pid": 1, "from_iteration": 0}],
        "metrics": {
            "train": {"iteration": np.arange(iteration), "loss": np.linspace(2.3, 0.1, iteration)},
            "test": {"iteration": np.arange(0), "error": np.zeros(0)},
        },
        "inputs": {"mean_image": np.full((32, 32, 3), 0.5, np.float32)},
        "model": {**tensors, "layer1.0.bn.num_batches_tracked": np.array(iteration)},
        "momentum": tensors,
        "analysis": {},
        "summary": {"status": "running", "iteration": iteration, "net": "resnet20", "saved": "2026-01-31T12:00:00Z"},
    }
    return RunRecord(**{**contents, **changes})


def same(left: Any, right: Any) -> bool:
    """Whether two trees hold the same values, arrays compared bit for bit with type and shape."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and left.tobytes() == right.tobytes()
    return type(left) is type(right) and repr(left) == repr(right)


def same_record(left: RunRecord, right: RunRecord) -> bool:
    return all(same(getattr(left, part), getattr(right, part)) for part in (*PARTS, "summary"))


def damage(path: Path, at: int = HEADER_BYTES + 100) -> None:
    """Flip one bit of a file in place."""
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1]))


def saved(path: Path, iteration: int = 3) -> bytes:
    """Write a sample store plainly and return its bytes."""
    data = encode(sample(iteration))
    path.write_bytes(data)
    return data


def names(path: Path) -> set[str]:
    return {entry.name for entry in path.parent.iterdir()}


def failure(work: Callable[[], object]) -> StoreError | None:
    """The error that `work` raised, if any."""
    try:
        work()
    except StoreError as error:
        return error
    return None
