"""Files that the page cache has forgotten: how a data set larger than memory is read, measured with a small one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def files_of(data: Path) -> list[Path]:
    """A file by itself, or all files below a folder."""
    return [data] if data.is_file() else [path for path in sorted(data.rglob("*")) if path.is_file()]


def forget(paths: Iterable[Path]) -> None:
    """Ask the system to drop what it keeps of these files' contents; names and sizes it may keep."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fdatasync(descriptor)  # what is not yet on the disk is not dropped
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
