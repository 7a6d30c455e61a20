"""Writing packed images: under a name of their own until they are complete, then renamed in one step."""

# ruff: noqa: PTH104, PTH108 - system calls under their own names: their order is what this file is about

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rescli.errors import StoreError, UsageError
from rescli.store.files import exists, real
from rescli.store.pack_index import BLOCK
from rescli.store.problems import way_out, why
from rescli.store.replace import create, sweep, sync_folder, temporary


class PackFile:
    """A file in the making. Images go behind `room` bytes that are kept for the front; nothing is read back."""

    def __init__(self, descriptor: int, room: int) -> None:
        self._descriptor = descriptor
        self.size = room
        self.finished = False
        os.lseek(descriptor, room, os.SEEK_SET)

    def begin(self) -> int:
        """Where the images of the next split begin."""
        self.size = -(-self.size // BLOCK) * BLOCK
        return os.lseek(self._descriptor, self.size, os.SEEK_SET)

    def write(self, data: bytes) -> None:
        """The bytes of the next image. Raises `OSError`, which `new_pack` puts into words."""
        _write(self._descriptor, data)
        self.size += len(data)

    def finish(self, front: bytearray) -> None:
        """The front, and all of it on the disk when this returns."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)
        _write(self._descriptor, front)
        os.fsync(self._descriptor)
        self.finished = True


@contextmanager
def new_pack(path: Path, room: int) -> Iterator[PackFile]:
    """A file that stands at `path` when the block has ended, on the disk; if it ends in an error, there is nothing.

    A process killed meanwhile leaves a file of another name, which the next one removes. Raises `UsageError` where there is a
    file, `StoreError` where none can be written or another process is at it.
    """
    target = real(path)
    _refuse(target)
    new = temporary(target)
    said = "could not be written"
    try:
        if at_work := sweep(target):
            raise StoreError(
                f"{target}: another process is packing into it ({at_work[0].name})",
                "Wait until it ends, or name another file.",
            )
        descriptor = create(new)
        try:
            file = PackFile(descriptor, room)
            yield file
            assert file.finished
            _refuse(target)
            os.rename(new, target)  # while the lock is held: nobody takes the file for a dead process's
            said = "written, but the disk does not confirm it"
        finally:
            os.close(descriptor)
        sync_folder(target.parent)
    except BaseException as error:
        with suppress(OSError):
            os.unlink(new)
        if not isinstance(error, OSError | MemoryError):
            raise
        raise StoreError(f"{target}: {said}: {why(error)}", way_out(error)) from error


def _refuse(target: Path) -> None:
    if exists(target):
        raise UsageError(f"{target} is there already", "Remove it first, or name another file with --out.")


def _write(descriptor: int, data: bytes | bytearray) -> None:
    with memoryview(data) as whole:
        rest = whole
        while rest:
            rest = rest[os.write(descriptor, rest) :]
