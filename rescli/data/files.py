"""Whether the files of a data set are the published ones, by the md5 sums that torchvision knows."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class FileCheck:
    """One file of a data set: its size in bytes (None where it is not there), and its state."""

    file: str
    bytes: int | None
    state: Literal["ok", "damaged", "missing", "unreadable"]


def published(name: str) -> Any:
    """The torchvision class for the data set called `name`: it knows the files, their md5 sums and where they come from."""
    from torchvision.datasets import CIFAR10, CIFAR100  # takes a second or more; the built-in data set does without

    return {"cifar10": CIFAR10, "cifar100": CIFAR100}[name]


def check(name: str, root: Path) -> tuple[FileCheck, ...]:
    """Every file of the data set in `root`, read as a whole. Raises nothing for files: their state says it."""
    kind = published(name)
    meta = (kind.meta["filename"], kind.meta["md5"])
    folder = root / kind.base_folder
    return tuple(_check(folder / file, md5) for file, md5 in (*kind.train_list, *kind.test_list, meta))


def complete(name: str, root: Path) -> bool:
    """Whether every file of the data set is in `root` and undamaged."""
    return all(file.state == "ok" for file in check(name, root))


def _check(path: Path, md5: str) -> FileCheck:
    from torchvision.datasets.utils import check_integrity

    try:
        if not path.is_file():
            return FileCheck(file=path.name, bytes=None, state="missing")
        size = path.stat().st_size
        return FileCheck(file=path.name, bytes=size, state="ok" if check_integrity(path, md5) else "damaged")
    except OSError:
        return FileCheck(file=path.name, bytes=None, state="unreadable")
