"""The files of a run: their names, and reading them without surprises."""

from __future__ import annotations

import os
import re
import shlex
import stat
from pathlib import Path
from types import TracebackType

from rescli.errors import StoreError
from rescli.store.problems import ForeignFile, unreadable

PREVIOUS = ".prev"
DAMAGED = ".damaged"
LOCK = ".lock"
OWNER = ".owner"
NEW = ".new"
_COMPANION = re.compile(
    r"(?P<store>.+?)(\.prev|\.damaged|\.lock|\.owner|(\.prev|\.damaged)?\.[0-9a-f]{8}\.new)", re.DOTALL
)


def real(path: Path | str) -> Path:
    """The file that `path` means, symbolic links followed: what is replaced is the store, not a link to it."""
    return Path(os.path.realpath(path))


def beside(path: Path, suffix: str) -> Path:
    """The companion of a store, for example `run.h5.prev`."""
    return path.with_name(path.name + suffix)


def store_of(name: str) -> str | None:
    """The store that a file of this name is a companion of; None where it is none."""
    found = _COMPANION.fullmatch(name)
    return found["store"] if found else None


def previous_of(path: Path) -> Path:
    """Where the generation before the store at `path` is kept."""
    return beside(real(path), PREVIOUS)


class OpenStore:
    """A file open for reading; `size` is its length in bytes. A context manager that closes it."""

    def __init__(self, descriptor: int, size: int) -> None:
        self.descriptor = descriptor
        self.size = size

    def rewind(self) -> None:
        """Read from the beginning again."""
        os.lseek(self.descriptor, 0, os.SEEK_SET)

    def __enter__(self) -> OpenStore:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.descriptor)


def open_store(path: Path) -> OpenStore:
    """Open a regular file. Raises `StoreError` for whatever else stands there; never blocks on a pipe or a device."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise unreadable(path, error) from error
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode):
        return OpenStore(descriptor, found.st_size)
    os.close(descriptor)
    if stat.S_ISDIR(found.st_mode):
        listed = f"`rescli runs list {shlex.quote(str(path))}`"
        raise ForeignFile(f"{path}: is a folder, not a run store", f"{listed} shows the runs in it.")
    raise ForeignFile(f"{path}: is not a regular file", "Give the path of a rescli run.")


def read_up_to(path: Path, file: OpenStore, count: int) -> bytes:
    """The next `count` bytes, fewer only at the end of the file."""
    try:
        pieces: list[bytes] = []
        while count > 0 and (piece := os.read(file.descriptor, min(count, 1 << 30))):
            pieces.append(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)
    except (OSError, MemoryError) as error:
        raise unreadable(path, error) from error


def exists(path: Path) -> bool:
    """Whether a file of that name is there. Raises `StoreError` when that cannot be found out."""
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise StoreError(f"{path}: cannot be looked at: {error.strerror}") from error
    return True
