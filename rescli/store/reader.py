"""Reading and verifying a whole run store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rescli.errors import StoreError
from rescli.store.decode import decode, text_of
from rescli.store.files import exists, previous_of
from rescli.store.header import Header, check_digest, read_store, with_offer
from rescli.store.listing import look
from rescli.store.problems import DamagedStore, check_kind
from rescli.store.record import STATUSES, RunRecord


@dataclass(frozen=True, kw_only=True)
class Generation:
    """The previous generation of a store: intact or not, and which state of the run it holds (or what is wrong)."""

    path: Path
    intact: bool
    description: str


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was checked and found good: all bytes against `digest`, every dataset against the schema.

    `non_finite` names the tensors with NaN or infinity in them; a store that holds them is intact all the same.
    """

    path: Path
    header: Header
    bytes: int
    digest: str
    datasets: int
    tensors: int
    non_finite: tuple[str, ...]
    previous: Generation | None


def read_run(path: Path | str, *, tensors: bool = True) -> RunRecord:
    """The record in the store at `path`; without `tensors`, `model` and `momentum` are empty.

    Every byte is checked against the digest before HDF5 sees any. Raises `StoreError` (a `DamagedStore` offers the previous
    generation where that is intact).
    """
    path = Path(path)
    try:
        header, tree = _load(path, tensors=tensors)
        return _record(path, header, tree)
    except DamagedStore as error:
        raise with_offer(error, path) from error


def read_standing(path: Path | str) -> tuple[RunRecord, str]:
    """The record without tensors, and how the run stands, as in `listing.look`. Raises as `read_run` does."""
    record = read_run(path, tensors=False)
    if record.status != "running":
        return record, record.status
    status = look(Path(path)).status
    if status in STATUSES and status != "running":  # it ended between the two looks: its last numbers are newer, too
        record = read_run(path, tensors=False)
        status = record.status
    return record, status


def verify(path: Path | str) -> Verification:
    """Read everything in the store at `path` and check it. Raises `StoreError` for anything amiss."""
    path = Path(path)
    try:
        header, tree = _load(path, tensors=True)
        record = _record(path, header, tree)
    except DamagedStore as error:
        raise with_offer(error, path) from error
    tensors = {f"model/{name}": array for name, array in record.model.items()}
    tensors.update((f"momentum/{name}", array) for name, array in record.momentum.items())
    return Verification(
        path=path,
        header=header,
        bytes=header.size,
        digest=header.digest,
        datasets=_count(tree),
        tensors=len(tensors),
        non_finite=tuple(name for name, array in tensors.items() if not _finite(array)),
        previous=previous_generation(path),
    )


def previous_generation(path: Path | str) -> Generation | None:
    """The state of the previous generation beside `path`, digest checked; None when there is none."""
    previous = previous_of(Path(path))
    if not exists(previous):
        return None
    try:
        return Generation(path=previous, intact=True, description=check_digest(previous).generation)
    except StoreError as error:
        return Generation(path=previous, intact=False, description=error.message)


def _load(path: Path, *, tensors: bool) -> tuple[Header, dict[str, Any]]:
    """Header and contents of a store whose digest was checked."""
    header, data = read_store(path)
    return header, decode(path, data, tensors=tensors)


def _record(path: Path, header: Header, tree: dict[str, Any]) -> RunRecord:
    """The record in the contents of a store."""
    check_kind(path, tree.get("@kind"))
    try:
        checkpoint = tree.get("checkpoint", {"model": {}, "momentum": {}})
        if tree["@status"] not in STATUSES:
            raise ValueError("its status is unknown")
        return RunRecord(
            status=tree["@status"],
            recipe=text_of(tree, "recipe"),
            environment=text_of(tree, "environment"),
            progress=text_of(tree, "progress"),
            sessions=text_of(tree, "sessions"),
            metrics={split: arrays_of(columns) for split, columns in tree["metrics"].items()},
            inputs=arrays_of(tree["input"]),
            model=arrays_of(checkpoint["model"]),
            momentum=arrays_of(checkpoint["momentum"]),
            analysis=tree["analysis"],
            summary=header.summary,
        )
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedStore(f"{path}: its contents are not those of a run store: {error}") from error


def arrays_of(tree: dict[str, Any]) -> dict[str, Any]:
    """The arrays of a group, which holds nothing else; attributes are left out."""
    arrays = {name: value for name, value in tree.items() if "@" not in name}
    if not all(isinstance(value, np.ndarray) for value in arrays.values()):
        raise ValueError("a group where an array should be")
    return arrays


def _count(tree: dict[str, Any]) -> int:
    """How many datasets there are in a tree."""
    return sum(_count(value) if isinstance(value, dict) else "@" not in name for name, value in tree.items())


def _finite(array: Any) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())
