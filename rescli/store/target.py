"""The place where something other than a run is to be written: looked at before the work for it is done, and written to."""

from __future__ import annotations

import os
import select
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from rescli.errors import StoreError, UsageError
from rescli.store.files import open_store, read_up_to, real, store_of
from rescli.store.header import HEADER_BYTES, IMAGES_MAGIC, MAGIC, lost
from rescli.store.problems import way_out, why
from rescli.store.replace import install


def check_folder(path: Path) -> None:
    """Raises `UsageError` where a file is to be written into a folder that is not there."""
    if not path.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {path.parent}", "Make it, or name another file.")


def check_name(path: Path, option: str = "--out") -> None:
    """Raises `UsageError` for a name that rescli gives to what stands beside a store, its lock or its previous generation."""
    if (store := store_of(path.name)) is not None:
        raise UsageError(
            f"{path} is a name for what belongs to {path.with_name(store)}", f"Name another file: {option}."
        )


def check_target(path: Path, option: str = "--out") -> None:
    """Raises `UsageError` where `path` is a folder, in none, or one of rescli's own files, a run or packed images perhaps."""
    if not path.name or path.is_dir():
        raise UsageError(f"{option} {path}: is a folder", "Name a file in it.")
    check_folder(path)
    check_name(path, option)
    if path.is_file() and _is_ours(path):
        raise UsageError(f"{path} is one of rescli's own files, a run perhaps", f"Name another file: {option}.")


def _is_ours(path: Path) -> bool:
    with open_store(path) as file:
        start = read_up_to(path, file, HEADER_BYTES)
    return start.startswith((MAGIC, IMAGES_MAGIC)) or lost(path, start)


def _stream(path: Path) -> int | None:
    """The number of this process's open file that `path` is a name of: 1 of /dev/stdout; None of an ordinary path.

    It is written to as it is: a file that a shell has redirected it to may hold more than this (`>>`), and opening it anew
    may not be permitted, or wait for a reader who has left.
    """
    ours = {os.path.realpath(f"/proc/{name}/fd") for name in ("self", "thread-self")}
    for _ in range(40):  # as many links as Linux follows
        if os.path.realpath(path.parent) in ours:
            return int(path.name) if path.name.isdecimal() and _is_open(int(path.name)) else None
        try:
            path = path.parent / path.readlink()
        except OSError:  # the end of the links
            return None
    return None


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except (OSError, OverflowError):
        return False
    return True


def put(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write something that is no run to `path`: to a file in one step, into a pipe or a device (/dev/stdout) as it is.

    Whoever replaced these two by a file, or a link by what it leads to, would leave others with an old text, or with none.
    Raises `StoreError` where it cannot be written.
    """
    stream = _stream(path)
    if stream is None and (not path.exists() or stat.S_ISREG(path.stat().st_mode)):
        install(real(path), data, keep=None)
        return
    try:
        number = os.open(path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOCTTY) if stream is None else os.dup(stream)
        try:
            for part in [data] if isinstance(data, bytes) else data:
                _write(number, part)
        finally:
            os.close(number)
    except OSError as error:
        raise StoreError(f"{path}: could not be written: {why(error)}", way_out(error)) from error


def _write(number: int, data: bytes) -> None:
    """All of it, also where whoever opened the pipe does not want to wait for its reader."""
    rest, ready = memoryview(data), select.poll()
    ready.register(number, select.POLLOUT)
    while rest:
        ready.poll()
        with suppress(BlockingIOError):  # another writer was quicker
            rest = rest[os.write(number, rest) :]
