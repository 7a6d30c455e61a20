"""Load a data set into memory, or check its files.

CIFAR is read by torchvision, which refuses files whose md5 is not the published one. The files are pickles, and that check is
what makes it safe to unpickle them.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.data import synthetic
from rescli.data.dataset import Dataset, Images
from rescli.data.files import FileCheck, check, published
from rescli.data.locate import find
from rescli.data.names import info
from rescli.errors import DataError, UsageError

__all__ = ["Dataset", "FileCheck", "Images", "Verification", "load", "verify"]


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What was found in a data set. Everything from `classes` on is empty or 0 where a file is missing or damaged."""

    name: str
    root: Path | None
    """The folder that holds the data set's own folder; None for a built-in one."""
    ok: bool
    """Whether every byte is the published one."""
    files: tuple[FileCheck, ...]
    classes: tuple[str, ...] = ()
    train_images: int = 0
    test_images: int = 0
    train_per_class: tuple[int, ...] = ()
    test_per_class: tuple[int, ...] = ()
    mean: tuple[float, ...] = ()
    """Of the training images' red, green and blue, in 0..1."""
    std: tuple[float, ...] = ()
    """The same; over all pixels of all training images."""


def load(name: str, *, data: Path | None = None) -> Dataset:
    """The data set called `name`, looked for as `rescli.data.locate` says.

    Raises `DataError` where it is missing or damaged, naming the files, and `UsageError` for an unknown name, and for a folder
    where none is looked into.
    """
    if not info(name).needs_files:
        if data is not None:
            raise UsageError(f"{name} is built in: the folder {data} has no effect", "Leave it out.")
        return synthetic.make()
    root = find(name, data)
    try:
        train, test = (_read(name, root, train=train) for train in (True, False))
    except (RuntimeError, OSError) as error:
        raise damaged(name, root, check(name, root), error) from error
    return Dataset(name, tuple(train.classes), _images(train), _images(test))


def verify(name: str, data: Path | None = None) -> Verification:
    """Check every file of the data set called `name` and count what is in it.

    Raises `DataError` where there is no such folder at all, and `UsageError` for an unknown name.
    """
    root = find(name, data) if info(name).needs_files else None
    files = check(name, root) if root else ()
    if any(file.state != "ok" for file in files):
        return Verification(name=name, root=root, ok=False, files=files)
    dataset = load(name, data=root)
    train, test = dataset.train, dataset.test
    mean, std = _moments(train.images)
    return Verification(
        name=name,
        root=root,
        ok=root is not None or synthetic.digest(dataset) == synthetic.SHA256,
        files=files,
        classes=dataset.classes,
        train_images=len(train),
        test_images=len(test),
        train_per_class=tuple(np.bincount(train.labels, minlength=len(dataset.classes)).tolist()),
        test_per_class=tuple(np.bincount(test.labels, minlength=len(dataset.classes)).tolist()),
        mean=mean,
        std=std,
    )


def damaged(name: str, root: Path, files: tuple[FileCheck, ...], error: Exception | None = None) -> DataError:
    """The error for a data set that is incomplete or whose files are not the published ones."""
    bad = [f"{file.file} is {file.state}" for file in files if file.state != "ok"] or [str(error)]
    folder = root / str(info(name).folder)
    return DataError(
        f"{info(name).title} in {folder} is incomplete: {', '.join(bad)}",
        f"`rescli data fetch {name} --data {root}` downloads it anew; `rescli data verify {name}` checks every file.",
    )


def _read(name: str, root: Path, *, train: bool) -> Any:
    with warnings.catch_warnings():
        # The files were pickled in 2009, with a 0 where numpy 2.4 and later want False.
        warnings.filterwarnings("ignore", message=r"dtype\(\): align should be passed as", category=Warning)
        return published(name)(root=root, train=train, download=False)


def _images(read: Any) -> Images:
    # torchvision holds them as [N, 3, 32, 32] in memory, and shows a transposed view.
    return Images(np.ascontiguousarray(read.data), np.asarray(read.targets, np.int64))


def _moments(images: npt.NDArray[np.uint8]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of each channel / 255, from exact counts of the 256 levels."""
    levels = np.arange(256) / 255
    counts = [np.bincount(images[..., channel].ravel(), minlength=256) / images[..., 0].size for channel in range(3)]
    means = [float(count @ levels) for count in counts]
    deviations = [float(np.sqrt(count @ (levels - mean) ** 2)) for count, mean in zip(counts, means, strict=True)]
    return tuple(means), tuple(deviations)
