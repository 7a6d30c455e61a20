"""Arrays out of somebody else's HDF5 file, read with the same care as our own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from rescli.errors import DataError, StoreError
from rescli.store.decode import decode
from rescli.store.files import open_store, read_up_to
from rescli.store.header import IMAGES_MAGIC, MAX_BYTES

if TYPE_CHECKING:
    from rescli.store.record import Array

SIGNATURE = b"\x89HDF\r\n\x1a\n"


def read_arrays(path: Path) -> dict[str, Array]:
    """Every dataset of numbers in the file at `path`, by its path within ("data/conv1/0"). Raises `DataError`."""
    try:
        with open_store(path) as file:
            start = read_up_to(path, file, len(IMAGES_MAGIC))
            if start == IMAGES_MAGIC:
                raise DataError(f"{path}: holds packed images, not a network", f"Give them as such: --data {path}.")
            if file.size > MAX_BYTES:
                raise DataError(f"{path}: {file.size:,} bytes are too many")
            if not start.startswith(SIGNATURE):
                raise DataError(
                    f"{path}: not a run store, nor an HDF5 file at all", "Give a run, or a file of weights."
                )
            file.rewind()
            tree = decode(path, read_up_to(path, file, file.size), tensors=True)
    except StoreError as error:
        raise DataError(error.message, "Write plain datasets: no links, no compression, no objects.") from error
    return dict(_flat(tree, ""))


def _flat(tree: dict[str, Any], where: str) -> list[tuple[str, Array]]:
    found: list[tuple[str, Array]] = []
    for name, value in tree.items():
        if isinstance(value, dict):
            found += _flat(value, f"{where}{name}/")
        elif isinstance(value, np.ndarray) and "@" not in name:
            found.append((where + name, value))
    return found
