"""Looks at the place where something is to be written, before the work for it is done."""

from __future__ import annotations

from pathlib import Path

from rescli.errors import UsageError
from rescli.store.network import is_store


def check_folder(path: Path) -> None:
    """Raises `UsageError` where a file is to be written into a folder that is not there."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}", "Make it, or name another file.")


def check_no_store(path: Path, option: str = "--out") -> None:
    """Raises `UsageError` where something else would be written over one of rescli's own files, a run perhaps."""
    if path.is_file() and is_store(path):
        raise UsageError(f"{path} is one of rescli's own files, a run perhaps", f"Name another file: {option}.")
