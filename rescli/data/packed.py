"""Photographs in one file that `rescli data pack` has made: read by place, checked, decoded from memory."""

from __future__ import annotations

import os
import weakref
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from rescli.data.decode import DamagedImage, opened_stream
from rescli.data.mean import mean_of_sum
from rescli.data.truth import UNKNOWN, Labels, true_labels
from rescli.errors import DataError, UsageError
from rescli.store.pack import Pack, PackedSplit, open_pack
from rescli.store.problems import why


@dataclass(frozen=True, kw_only=True, eq=False)
class Packed:
    """`Photographs` in one file, `root`. Several threads, and processes forked from this one, may read at the same time."""

    root: Path
    split: str
    files: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    classes: tuple[str, ...]
    index: PackedSplit
    descriptor: int
    """Of the file, read by `pread` alone; closed with this object."""

    def __post_init__(self) -> None:
        weakref.finalize(self, os.close, self.descriptor)

    def __len__(self) -> int:
        return len(self.files)

    @property
    def labelled(self) -> bool:
        """Whether every class is known."""
        return bool((self.labels != UNKNOWN).all())

    def read(self, row: int) -> bytes:
        """The bytes of image `row`, checked. Raises `DataError`, which names it, where they are not those that were packed."""
        begin, end = int(self.index.offsets[row]), int(self.index.offsets[row + 1])
        try:
            data = os.pread(self.descriptor, end - begin, self.index.start + begin)
        except OSError as error:
            raise DataError(f"{self._name(row)}: cannot be read: {why(error)}") from error
        if zlib.crc32(data) != self.index.crc32[row]:
            raise DamagedImage(
                f"{self._name(row)}: damaged; its bytes do not match their checksum",
                "Copy the file anew, pack the images again, or leave it out with --skip-damaged.",
            )
        return data

    @contextmanager
    def opened(self, row: int) -> Iterator[Image.Image]:
        """The image, open and not yet decoded; what goes wrong in the `with` block is a `DataError` that names it."""
        with opened_stream(BytesIO(self.read(row)), self._name(row)) as image:
            yield image

    def mean_image(self, size: int, shorter: int) -> npt.NDArray[np.float32] | None:
        """The mean of all center crops of `size` pixels from a shorter side of `shorter`, float32 [size, size, 3] in 0..1.

        It is that of `views.center_view` of every image, to the bit. None where the file holds no sum of such crops.
        """
        total, stated = self.index.mean_sum, self.index.about
        if total is None or (stated.get("mean_sum@size"), stated.get("mean_sum@shorter")) != (size, shorter):
            return None
        if total.shape != (size, size, 3) or stated.get("mean_sum@images") != len(self):
            raise DataError(f"{self.root}: its sum of pixels is not that of its images", "Pack them again.")
        return mean_of_sum(total, len(self))

    def _name(self, row: int) -> str:
        return f"{self.root}: {self.split}/{self.files[row]}"


def packed_splits(path: Path) -> tuple[str, ...]:
    """The splits that the file holds. Raises `DataError`."""
    pack, file = open_pack(path)
    os.close(file.descriptor)
    return tuple(pack.splits)


def open_packed(path: Path, split: str, *, truth: Path | None = None, classes: Sequence[str] | None = None) -> Packed:
    """The images of one split. `truth` and `classes` are as in `listing.list_images`. Raises `DataError` and `UsageError`."""
    pack, file = open_pack(path)
    try:
        if split not in pack.splits:
            raise DataError(
                f"{path}: holds no images of the split {split}; there are {' and '.join(pack.splits)}",
                "Name the split that is meant, or pack a folder that has both.",
            )
        index = pack.splits[split]
        files = tuple(os.fsdecode(name) for name in index.files.tolist())
        labels, names = _labels(path, split, pack, files, truth, classes)
    except BaseException:
        os.close(file.descriptor)
        raise
    return Packed(
        root=path, split=split, files=files, labels=labels, classes=names, index=index, descriptor=file.descriptor
    )


def _labels(
    path: Path, split: str, pack: Pack, files: Sequence[str], truth: Path | None, classes: Sequence[str] | None
) -> Labels:
    labels, names = pack.splits[split].labels, tuple(os.fsdecode(name) for name in pack.classes.tolist())
    if truth is not None:
        if (labels != UNKNOWN).any():
            raise UsageError(f"{path}: says the classes of {split}: --truth has no effect", "Leave it out.")
        return true_labels(truth, files, classes if classes is not None else names or None)
    if classes is None:
        return labels, names
    if not names:  # the file has numbers alone
        if labels.max() >= len(classes):
            raise DataError(f"{path}: class {labels.max()} of {len(classes)}", "Is it the right --class-list?")
        return labels, tuple(classes)
    number = {name: label for label, name in enumerate(classes)}
    strange = [names[label] for label in np.unique(labels) if label != UNKNOWN and names[label] not in number]
    if strange:
        raise UsageError(
            f"{path}: the class {strange[0]} is not one of the {len(classes)} that are listed",
            "Is it the right --class-list?",
        )
    # UNKNOWN is -1: the last entry of the table stands for it.
    table = np.array([number.get(name, UNKNOWN) for name in names] + [UNKNOWN], np.int64)
    return table[labels], tuple(classes)
