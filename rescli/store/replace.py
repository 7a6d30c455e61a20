"""Putting a store in place: written beside the old one and renamed over it, so that every moment has a complete store."""

# ruff: noqa: PTH104, PTH108, PTH116 - system calls under their own names: their order is what this file is about

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rescli.errors import StoreError
from rescli.store.files import DAMAGED, NEW, PREVIOUS, beside, real
from rescli.store.header import check_digest, read_header
from rescli.store.problems import DamagedStore, MissingStore, way_out, why

# What `link` answers where the file system has no hard links, or where one may not be made (fs.protected_hardlinks).
_NO_LINKS = {errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK, errno.EACCES, errno.EINVAL}
# What `fsync` of a folder answers where the file system has no such thing.
_NO_FOLDER_SYNC = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EBADF, errno.EACCES}


def replace(path: Path | str, data: bytes) -> None:
    """Put the complete store `data` (from `encode`) in place of the one at `path`, which becomes the previous generation.

    Returns when the disk has it. Raises `StoreError` when it cannot be written; the store at `path` is then what it was. A file
    that is no run store, or one of a newer rescli, is never overwritten. Hold the `RunLock` of the path: without it two writers
    never tear a store, but each may make the other fail.
    """
    target = real(path)
    try:
        check_digest(target)
    except MissingStore:
        install(target, data, keep=None)
    except DamagedStore:
        install(target, data, keep=None)  # a damaged store must not push out an intact previous generation
    else:
        install(target, data, keep=PREVIOUS)


def install(target: Path, data: bytes | Iterable[bytes], *, keep: str | None) -> None:
    """Write `data` durably under the name `target` in one step; the file there lives on as `target` + `keep`.

    What is too large for memory comes in parts.
    """
    new = temporary(target)
    with _old_one_stays(target, new):
        sweep(target)
        with _written(new, data, like=target):
            if keep:
                _keep(target, beside(target, keep))
            os.rename(new, target)
    try:
        sync_folder(target.parent)
    except OSError as error:
        raise StoreError(
            f"{target}: written, but the disk does not confirm it: {why(error)}", way_out(error)
        ) from error


@contextmanager
def _old_one_stays(target: Path, new: Path) -> Iterator[None]:
    """Remove what was half written when anything goes wrong, and say what is left in words."""
    try:
        yield
    except BaseException as error:
        with suppress(OSError):
            os.unlink(new)
        if not isinstance(error, OSError | MemoryError):
            raise
        try:
            left = f"; the last good store ({read_header(target).generation}) stays"
        except StoreError:
            left = "; there is no earlier store" if target.suffix == ".h5" else ""
        raise StoreError(f"{target}: could not be written: {why(error)}{left}", way_out(error)) from error


def temporary(path: Path) -> Path:
    """A name beside `path` that nobody else uses, such as `run.h5.3f9a0c12.new`.

    Were the name the same each time, two writers without a lock between them could rename each other's half-written files.
    """
    return beside(path, f".{secrets.token_hex(4)}{NEW}")


def sweep(target: Path) -> list[Path]:
    """Remove what killed writers left beside `target`; returns the files that others are, or may be, at work on.

    They are removed, never written to: one may be a second name of the store.
    """
    return [left for left in _left_behind(target) if not _gone(left)]


def _gone(left: Path) -> bool:
    """Remove what a writer left, unless it is still at work on it."""
    try:
        descriptor = _opened(left)
    except FileNotFoundError:
        return True
    except OSError:  # somebody else's, who does not want it to be looked into
        return False
    try:
        # Removed while this has the lock: a writer that comes too late for it begins anew.
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return _unlinked(left)
    except BlockingIOError:
        return False
    except OSError as error:
        # NFS locks nothing that may only be read: nobody knows. Else it is a file system without locks.
        return error.errno != errno.EBADF and _unlinked(left)
    finally:
        os.close(descriptor)


def _opened(left: Path) -> int:
    """To be locked, for which some file systems want to see it opened for writing."""
    try:
        return os.open(left, os.O_RDWR | os.O_CLOEXEC)
    except PermissionError:
        return os.open(left, os.O_RDONLY | os.O_CLOEXEC)


def _unlinked(left: Path) -> bool:
    # Somebody else's stays in a folder where everybody removes his own. Nobody is at work on it all the same.
    with suppress(FileNotFoundError, PermissionError):
        os.unlink(left)
    return True


def _left_behind(target: Path) -> list[Path]:
    """The files that writers of `target` which were killed, or are still at work, have beside it."""
    # Exactly our own names: the half-written files of a run `run.h5` are none of a run `run`'s business.
    ours = re.compile(
        rf"{re.escape(target.name)}({re.escape(PREVIOUS)}|{re.escape(DAMAGED)})?\.[0-9a-f]{{8}}{re.escape(NEW)}"
    )
    return [left for left in target.parent.iterdir() if ours.fullmatch(left.name)]


def create(path: Path) -> int:
    """A new file, locked for as long as it is open: so one can tell a dead writer's from one that is being written."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError:  # a file system without locks
            return descriptor
        if os.fstat(descriptor).st_nlink:
            return descriptor
        os.close(descriptor)  # somebody swept it away before it was locked


@contextmanager
def _written(path: Path, data: bytes | Iterable[bytes], *, like: Path) -> Iterator[None]:
    """While entered, `path` is a new file with these bytes, on the disk and locked, with the permissions of `like`, if any."""
    descriptor, locked = create(path), None
    try:
        try:
            locked = os.dup(descriptor)  # the lock lasts until both are closed
            with suppress(OSError):
                os.fchmod(descriptor, os.stat(like).st_mode & 0o777)
            for part in (data,) if isinstance(data, bytes) else data:
                rest = memoryview(part)
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except BaseException:
            with suppress(OSError):
                os.close(descriptor)
            raise
        os.close(descriptor)  # some file systems report a full quota only here
        yield
    finally:
        if locked is not None:
            with suppress(OSError):
                os.close(locked)


def _keep(target: Path, kept: Path) -> None:
    """Give the file `target` the second name `kept`, in place of what had that name."""
    step = temporary(kept)
    try:
        os.link(target, step)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            with _written(step, target.read_bytes(), like=target):  # a damaged one, too, which `restore` keeps
                pass
        except BaseException:
            with suppress(OSError):
                os.unlink(step)
            raise
    os.rename(step, kept)
    # Renaming one name of a file onto another name of the same file does nothing and leaves both: that happens when a writer
    # was killed between the two renames and `kept` is `target` already.
    with suppress(FileNotFoundError):
        os.unlink(step)


def sync_folder(folder: Path) -> None:
    """Make the renames in a folder durable, where the file system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _NO_FOLDER_SYNC:
            raise
