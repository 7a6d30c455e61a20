"""What can be wrong with a file that should be a run store. All of them are `StoreError`s (exit code 4)."""

from __future__ import annotations

import errno
import os
import shlex
from pathlib import Path

from rescli.errors import StoreError

_WAYS_OUT = {
    errno.ENOSPC: "Free some space on that disk, or write to another one.",
    errno.EDQUOT: "Your disk quota is used up: free some space, or write elsewhere.",
    errno.EFBIG: "The file would be larger than `ulimit -f` or the file system allows.",
    errno.EROFS: "That file system is mounted read-only: write elsewhere.",
    errno.EACCES: "Check the permissions of the file and its folder, or write elsewhere.",
    errno.EPERM: "Check the permissions of the file and its folder, or write elsewhere.",
    errno.ENOENT: "Check the path; its folder must exist.",
    errno.ENOTDIR: "Check the path; its folder must exist.",
    errno.EIO: "The disk reports a hardware error: see the system log, and write elsewhere.",
}


class MissingStore(StoreError):
    """There is no file of that name."""


class ForeignFile(StoreError):
    """The file is something else than a run store of a schema known here; it is left alone."""


class PackedImages(ForeignFile):
    """The file is one of `rescli data pack`: whole for all one knows, and no run."""


class DamagedStore(StoreError):
    """The file was a run store and is truncated or damaged."""


def check_kind(path: Path, kind: object) -> None:
    """Raises `ForeignFile` where one of rescli's own files says that it is of another kind than a run."""
    name = shlex.quote(str(path))
    if kind == "network":
        raise ForeignFile(
            f"{path}: holds a network's weights, not a run",
            f"`rescli eval {name}` and `rescli build --weights {name}` take it.",
        )
    if kind == "predictions":
        raise ForeignFile(
            f"{path}: holds saved predictions, not a run", f"`rescli eval {name}` and `rescli eval ensemble` take it."
        )


def why(error: OSError | MemoryError) -> str:
    """The reason of a failed system call in words, for example "No space left on device"."""
    if isinstance(error, MemoryError):
        return "not enough memory"
    return error.strerror or os.strerror(error.errno or 0)


def way_out(error: OSError | MemoryError) -> str:
    """What the user can do about a failed system call; empty when there is nothing sensible to say."""
    if isinstance(error, MemoryError):
        return "Give the process more memory (for example `--mem` of the batch queue)."
    return _WAYS_OUT.get(error.errno or 0, "")


def unreadable(path: Path, error: OSError | MemoryError) -> StoreError:
    """The error for a store whose bytes cannot be had from the operating system."""
    if isinstance(error, FileNotFoundError):
        return MissingStore(f"{path}: there is no such file", "`rescli runs list` shows the run stores below a folder.")
    if isinstance(error, PermissionError):
        return StoreError(f"{path}: reading it is not permitted", "Check who owns the file and its folder (`ls -l`).")
    return StoreError(f"{path}: cannot be read: {why(error)}", way_out(error) or "Check the path.")
