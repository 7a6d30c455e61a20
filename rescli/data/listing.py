"""Which images an ImageNet folder holds, and of which classes. Nothing is decoded.

`train/WNID/*.JPEG` and `val/WNID/*.JPEG`, as everybody sorts them; or `val/*.JPEG` as published, with a file of the true
classes; or any folder of images without labels, such as the test server's.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from rescli.data.decode import opened, read
from rescli.data.truth import UNKNOWN, read_classes, true_labels
from rescli.errors import DataError, UsageError

__all__ = ["UNKNOWN", "Listing", "Named", "Photographs", "fingerprint", "list_images", "read_classes", "splits_of"]

SPLITS = ("train", "val")
FOLDERS = (*SPLITS, "test")
"""Names of folders that are splits; only a list of classes tells of a class that is called so."""

EXTENSIONS = frozenset({".jpeg", ".jpg", ".png", ".bmp", ".ppm", ".webp", ".tif", ".tiff"})


class Named(Protocol):
    """Images by name: `labels` int64 [N] are numbers of `classes`, which is empty where nothing names them, or `UNKNOWN`."""

    @property
    def files(self) -> tuple[str, ...]:
        """The name of each."""

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of each."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""


class Photographs(Named, Protocol):
    """Named images, wherever they are: in folders (`Listing`) or in one file (`data.packed`); `root` says where."""

    @property
    def root(self) -> Path:
        """Where they are, for messages."""

    @property
    def labelled(self) -> bool:
        """Whether every class is known."""

    def __len__(self) -> int: ...

    def read(self, row: int) -> bytes:
        """The bytes of the file that image `row` is, or was. Raises `DataError`, which names it."""

    def opened(self, row: int) -> AbstractContextManager[Image.Image]:
        """Image `row`, open and not yet decoded; what goes wrong in the `with` block is a `DataError` that names it."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Listing:
    """`Photographs` in files of their own. `files` are relative to `root`; `empty` are folders of classes without any."""

    root: Path
    files: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    empty: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.files)

    def read(self, row: int) -> bytes:
        """The file's bytes. Raises `DataError`, which names it."""
        return read(self.root / self.files[row])

    def opened(self, row: int) -> AbstractContextManager[Image.Image]:
        """The file, open and not yet decoded; what goes wrong in the `with` block is a `DataError` that names it."""
        return opened(self.root / self.files[row])

    @property
    def labelled(self) -> bool:
        """Whether every class is known."""
        return bool(len(self)) and bool((self.labels != UNKNOWN).all())


def as_bytes(name: str) -> bytes:
    """A name as the folder has it: a file's name need not be text."""
    return name.encode("utf-8", "surrogateescape")


def fingerprint(images: Named) -> npt.NDArray[np.uint8]:
    """SHA-256 over the names and classes of all images, uint8 [32]: whether they are the same ones again.

    Names without their endings: a pack may hold a PNG as a JPEG.
    """
    found = hashlib.sha256(as_bytes("\n".join(images.classes)))
    for name, label in zip(images.files, images.labels.tolist(), strict=True):
        found.update(as_bytes(f"\n{Path(name).with_suffix('')} {label}"))
    return np.frombuffer(found.digest(), np.uint8)


def splits_of(root: Path) -> tuple[str, ...]:
    """Which of train and val a folder or a file of packed images has.

    Raises `DataError` for a file of another kind, and for a split that is a link to nothing: it is not left out in silence.
    """
    if root.is_file():
        from rescli.data.packed import packed_splits

        return packed_splits(root)
    for name in SPLITS:
        if (root / name).is_symlink() and not (root / name).exists():
            raise _broken(root / name)
    return tuple(name for name in SPLITS if (root / name).is_dir())


def list_images(
    root: Path,
    split: str,
    *,
    truth: Path | None = None,
    classes: Sequence[str] | None = None,
    gaps: bool = False,
) -> Photographs:
    """The images of `root/split`, or of `root` itself where there is no such folder, sorted by class and name.

    Where `root` is a file of packed images (`rescli data pack`): those of its split, in the order of the file.

    `classes` are the names of labels 0, 1, ...: a network may know more classes than the folder has. None: the folders'
    names in alphabetical order, as for every ImageNet net. `truth` is a file with a line for each image, "NAME CLASS" (a
    number of a class from 0, or its name). In training a class's folder without an image is an error, unless there may be
    `gaps`. Raises `DataError`, and `UsageError` for a class that is not among `classes`.
    """
    if root.is_file():
        from rescli.data.packed import open_packed  # it loads h5py, which folders have no need of

        return open_packed(root, split, truth=truth, classes=classes)
    folder = root / split if (root / split).is_dir() else _itself(root, split, classes or ())
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        _check_links(folder, entries)
        folders = [entry.name for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
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
        empty = tuple(name for name, files in found if not files)
        if empty and split == "train" and not gaps:  # a net would be trained on the other classes alone
            raise DataError(
                f"{folder}: the class {empty[0]} holds no images",
                "Was all of it extracted? Fill the folder, or take it away.",
            )
        return _sorted(folder, sorted_in, classes, empty)
    if not flat:
        raise DataError(
            f"{folder}: holds no images", "Give the folder that holds train/ and val/, or images: --data DIR."
        )
    return _flat(folder, flat, truth, classes)


def sorted_into_classes(root: Path, split: str) -> bool:
    """Whether `root/split` has folders of classes now: a file of true classes that somebody remembers is of no use then."""
    try:
        with os.scandir(root / split) as entries:
            return any(entry.is_dir() and not entry.name.startswith(".") for entry in entries)
    except OSError:  # whatever is wrong with it is told where its images are listed
        return False


def _check_links(folder: Path, entries: Sequence[os.DirEntry[str]]) -> None:
    """Raises `DataError` for a link that leads nowhere: a class that is missing gives all behind it other labels.

    Raises `OSError` for one that cannot be followed.
    """
    for entry in entries:
        if entry.is_symlink() and not entry.name.startswith("."):
            try:
                entry.stat()
            except FileNotFoundError as error:
                raise _broken(folder / entry.name) from error


def _broken(link: Path) -> DataError:
    return DataError(
        f"{link}: is a link to something that is not there", "Bring back what it leads to, or take the link away."
    )


def _itself(root: Path, split: str, classes: Sequence[str]) -> Path:
    """A folder without the split's own. Raises `DataError` where it has other splits, which are no classes."""
    others = [name for name in FOLDERS if name not in classes and (root / name).is_dir()]
    if others:
        raise DataError(
            f"{root}: holds no images of the split {split}; there {'is' if len(others) == 1 else 'are'} {' and '.join(others)}",
            "Name the split that is meant, or the folder of the images themselves: --data DIR.",
        )
    return root


def _is_image(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in EXTENSIONS and not name.startswith(".")  # noqa: PTH122 - a million times


def _inside(folder: Path) -> list[str]:
    """Paths of the images below a class's folder, relative to it; what is hidden does not count. Raises `OSError`.

    Links to folders are followed, but not back to a folder that they are in.
    """
    names = []
    above: dict[str, tuple[str, ...]] = {str(folder): (os.path.realpath(folder),)}
    for where, folders, files in os.walk(folder, onerror=_raise, followlinks=True):
        real = {name: os.path.realpath(f"{where}/{name}") for name in folders if not name.startswith(".")}
        folders[:] = [name for name, its in real.items() if its not in above[where]]
        above |= {os.path.join(where, name): (*above[where], real[name]) for name in folders}  # noqa: PTH118
        relative = os.path.relpath(where, folder)
        names += [name if relative == "." else f"{relative}/{name}" for name in files if _is_image(name)]
    return sorted(names)


def _raise(error: OSError) -> None:
    """A class that cannot be listed would else be missing, and the labels of all behind it others."""
    raise error


def _sorted(
    folder: Path, found: list[tuple[str, list[str]]], classes: Sequence[str] | None, empty: tuple[str, ...]
) -> Listing:
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
    return Listing(root=folder, files=files, labels=labels, classes=names, empty=empty)


def _flat(folder: Path, files: list[str], truth: Path | None, classes: Sequence[str] | None) -> Listing:
    labels, names = np.full(len(files), UNKNOWN, np.int64), tuple(classes or ())
    if truth is not None:
        labels, names = true_labels(truth, files, classes)
    return Listing(root=folder, files=tuple(files), labels=labels, classes=names)
