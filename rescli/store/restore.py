"""Putting the previous generation of a damaged store back."""

from __future__ import annotations

from pathlib import Path

from rescli.errors import StoreError
from rescli.store.files import DAMAGED, exists, previous_of, real
from rescli.store.header import Header, read_header, read_store
from rescli.store.lock import RunLock
from rescli.store.network import holds_network, is_store
from rescli.store.problems import DamagedStore, ForeignFile, MissingStore
from rescli.store.reader import verify
from rescli.store.replace import install


def restore(path: Path | str) -> Header:
    """Make the previous generation the store at `path` again and return its header.

    The damaged file is kept as `run.h5.damaged`, the previous generation stays too. Raises `StoreError` when the store is
    intact or no store at all, when there is no intact previous generation, or when another process holds the run.
    """
    path = Path(path)
    if not exists(real(path)) and not exists(previous_of(path)):  # before a lock, which would leave a file beside it
        raise MissingStore(
            f"{path}: there is no such file, nor a previous generation of it",
            "`rescli runs list` shows the run stores below a folder.",
        )
    with RunLock(path):
        try:
            intact = _check(path)
        except (MissingStore, DamagedStore):
            previous = previous_of(path)
            if not exists(previous):
                raise StoreError(f"{path}: there is no previous generation to restore", "") from None
            _check(previous)
            keep = DAMAGED if exists(real(path)) else None
            install(real(path), read_store(previous)[1], keep=keep)
            return read_header(path)
        raise StoreError(
            f"{path}: intact ({intact.generation}), so nothing was restored",
            "To go back a generation all the same, copy the file with .prev at its end.",
        )


def _check(path: Path) -> Header:
    """The header of an intact store, or of an intact file of weights. Raises `StoreError`."""
    try:
        return verify(path).header
    except ForeignFile:
        if is_store(path) and holds_network(path):
            return read_header(path)
        raise
