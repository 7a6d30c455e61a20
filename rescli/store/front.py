"""HDF5 files of which only the front is in memory: the rest, large and made of bytes that HDF5 need not see, is elsewhere."""

from __future__ import annotations

import itertools
from typing import Any

from h5py import h5f, h5fd, h5p

from rescli.store.header import HEADER_BYTES

_NUMBERS = itertools.count()


class Front:
    """The first bytes of a file, for HDF5 to read and to write as if it were all of it. `end` is where the file would end.

    What is written behind the front is gone, and zeros are read there. Neither touches a disk: on a full one HDF5 would end
    the process.
    """

    def __init__(self, data: bytearray, end: int = 0) -> None:
        self.data = data
        self.end = end
        self._at = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        """As files do."""
        self._at = offset + (0, self._at, self.end)[whence]
        return self._at

    def tell(self) -> int:
        """As files do."""
        return self._at

    def truncate(self, size: int | None = None) -> int:
        """As files do."""
        self.end = self._at if size is None else size
        return self.end

    def flush(self) -> None:
        """Nothing waits."""

    def write(self, data: Any) -> int:
        """As files do, but only the front is kept."""
        with memoryview(data).cast("B") as view:
            kept = view[: max(0, len(self.data) - self._at)]
            self.data[self._at : self._at + len(kept)] = kept
            self._at += len(view)
            self.end = max(self.end, self._at)
            return len(view)

    def readinto(self, into: Any) -> int:
        """As files do; zeros behind the front."""
        with memoryview(into).cast("B") as view:
            piece = self.data[self._at : self._at + len(view)]
            view[:] = piece.ljust(len(view), b"\0")
            self._at += len(view)
            return len(view)


def create_on(front: Front) -> Any:
    """A new HDF5 file on an empty front, with room for a header."""
    creation = h5p.create(h5p.FILE_CREATE)
    creation.set_userblock(HEADER_BYTES)
    creation.set_obj_track_times(False)
    return h5f.create(_name(), h5f.ACC_TRUNC, creation, _access(front))


def open_front(front: Front, *, alignment: int | None = None) -> Any:
    """The HDF5 file on this front; to be written to where `alignment` says at what multiples new storage begins."""
    flags = h5f.ACC_RDONLY if alignment is None else h5f.ACC_RDWR
    return h5f.open(_name(), flags, _access(front, alignment))


def _access(front: Front, alignment: int | None = None) -> Any:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fileobj_driver(h5fd.fileobj_driver, front)
    access.set_libver_bounds(h5f.LIBVER_EARLIEST, h5f.LIBVER_V18)  # the reason stands in `encode`
    access.set_fclose_degree(h5f.CLOSE_STRONG)  # closed means written, whatever objects Python still holds
    if alignment is not None:
        access.set_alignment(1, alignment)
    return access


def _name() -> bytes:
    return f"front-{next(_NUMBERS)}.h5".encode()  # HDF5 knows open files by their names, those in memory too
