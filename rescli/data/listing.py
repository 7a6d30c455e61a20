"""Which images an ImageNet folder holds, and of which classes. Nothing is decoded.

`train/WNID/*.JPEG` and `val/WNID/*.JPEG`, as everybody sorts them; or `val/*.JPEG` as published, with a file of the true
classes; or any folder of images without labels, such as the test server's.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from rescli.data.decode import opened
from rescli.errors import DataError, UsageError

EXTENSIONS = frozenset({".jpeg", ".jpg", ".png", ".bmp", ".ppm", ".webp", ".tif", ".tiff"})
UNKNOWN = -1
"""The label of an image whose class nobody said."""


class Photographs(Protocol):
    """Images by name, wherever they are: in folders (`Listing`) or in one file (`data.packed`).

    `files` are their names, `root` is where they are (for messages); `labels` int64 [N] are numbers of `classes`, or
    `UNKNOWN`. `classes` is empty where nothing names them.
    """

    @property
    def root(self) -> Path:
        """Where they are."""

    @property
    def files(self) -> tuple[str, ...]:
        """The name of each."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of each."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""

    @property
    def labelled(self) -> bool:
        """Whether every class is known."""

    def __len__(self) -> int: ...

    def opened(self, row: int) -> AbstractContextManager[Image.Image]:
        """Image `row`, open and not yet decoded; what goes wrong in the `with` block is a `DataError` that names it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Listing:
    """`Photographs` in files of their own. `files` are relative to `root`."""

    root: Path
    files: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.files)

    def opened(self, row: int) -> AbstractContextManager[Image.Image]:
        """The file, open and not yet decoded; what goes wrong in the `with` block is a `DataError` that names it."""
        return opened(self.root / self.files[row])

    @property
    def labelled(self) -> bool:
        """Whether every class is known."""
        return bool(len(self)) and bool((self.labels != UNKNOWN).all())


def list_images(root: Path, split: str, *, truth: Path | None = None, classes: Sequence[str] | None = None) -> Listing:
    """The images of `root/split`, or of `root` itself where there is no such folder, sorted by class and name.

    `classes` are the names of labels 0, 1, ...: a network may know more classes than the folder has. None: the folders'
    names in alphabetical order, as for every ImageNet net. `truth` is a file with a line for each image, "NAME CLASS" (a
    number of a class from 0, or its name). Raises `DataError`, and `UsageError` for a class that is not among `classes`.
    """
    folder = root / split if (root / split).is_dir() else root
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        folders = [entry.name for entry in entries if entry.is_dir()]
        flat = [entry.name for entry in entries if entry.is_file() and _is_image(entry.name)]
        found = [(name, _inside(folder / name)) for name in folders]
    except OSError as error:
        raise DataError(
            f"{folder}: cannot be listed: {error.strerror}", "Give the folder of images: --data DIR."
        ) from error
    sorted_in = [(name, files) for name, files in found if files]
    if sorted_in and flat:
        raise DataError(
            f"{folder}: images both in folders of classes and beside them ({flat[0]})",
            "Sort them into folders, or take them out.",
        )
    if sorted_in:
        if truth is not None:
            raise UsageError(f"{folder} is sorted into classes: --truth has no effect", "Leave it out.")
        return _sorted(folder, sorted_in, classes)
    if not flat:
        raise DataError(
            f"{folder}: holds no images", "Give the folder that holds train/ and val/, or images: --data DIR."
        )
    return _flat(folder, flat, truth, classes)


def read_classes(path: Path) -> tuple[str, ...]:
    """The first word of each line: names of classes 0, 1, ... as in `synsets.txt`. Raises `DataError`."""
    names = tuple(words[0] for words in _lines(path))
    if not names:
        raise DataError(f"{path}: names no classes", "A line for each class: its folder's name.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise DataError(f"{path}: names {twice[0]} twice", "A line for each class: its folder's name.")
    return names


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in EXTENSIONS and not name.startswith(".")  # noqa: PTH122 - a million times


def _inside(folder: Path) -> list[str]:
    """Paths of the images below a class's folder, relative to it."""
    names = []
    for where, _, files in os.walk(folder):
        relative = os.path.relpath(where, folder)
        names += [name if relative == "." else f"{relative}/{name}" for name in files if _is_image(name)]
    return sorted(names)


def _sorted(folder: Path, found: list[tuple[str, list[str]]], classes: Sequence[str] | None) -> Listing:
    names = tuple(classes) if classes is not None else tuple(name for name, _ in found)
    number = {name: label for label, name in enumerate(names)}
    strange = [name for name, _ in found if name not in number]
    if strange:
        raise UsageError(
            f"{folder}: the class {strange[0]} is not one of the {len(names)} that are listed",
            "Is it the right --class-list?",
        )
    labels = np.concatenate([np.full(len(files), number[name], np.int64) for name, files in found])
    files = tuple(f"{name}/{file}" for name, inside in found for file in inside)
    return Listing(root=folder, files=files, labels=labels, classes=names)


def _flat(folder: Path, files: list[str], truth: Path | None, classes: Sequence[str] | None) -> Listing:
    if truth is None:
        labels = np.full(len(files), UNKNOWN, np.int64)
        return Listing(root=folder, files=tuple(files), labels=labels, classes=tuple(classes or ()))
    said: dict[str, str] = {}
    for words in _lines(truth):
        if len(words) != 2:
            raise DataError(
                f"{truth}: the line {' '.join(words)!r} is not an image and its class",
                "A line for each image: NAME CLASS. The devkit's numbers alone count classes in an order of their own.",
            )
        said[words[0]] = words[1]
    missing = [name for name in files if name not in said]
    if missing:
        raise DataError(
            f"{truth}: says nothing of {missing[0]} ({len(missing)} of {len(files)} images)", "Is it the right file?"
        )
    values = [said[name] for name in files]
    if all(value.isdigit() for value in values):  # how many classes there are, and their names, it does not say
        numbers, names = np.array([int(value) for value in values], np.int64), tuple(classes or ())
        if names and numbers.max() >= len(names):
            raise DataError(f"{truth}: class {numbers.max()} of {len(names)}", "Classes are counted from 0.")
        return Listing(root=folder, files=tuple(files), labels=numbers, classes=names)
    names = tuple(classes) if classes is not None else tuple(sorted(set(values)))
    number = {name: label for label, name in enumerate(names)}
    if strange := sorted(set(values) - set(number)):
        raise UsageError(
            f"{truth}: the class {strange[0]} is not one of the {len(names)} that are listed", "Is it the right file?"
        )
    return Listing(
        root=folder, files=tuple(files), labels=np.array([number[v] for v in values], np.int64), classes=names
    )


def _lines(path: Path) -> list[list[str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}", "Name another."
        ) from error
    return [words for words in (line.split() for line in text.splitlines()) if words]
