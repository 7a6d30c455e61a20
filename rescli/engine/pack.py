"""`rescli data pack`: train and val photographs into one file, every image decoded once on the way."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.data.decode import DamagedImage, in_parallel, threads
from rescli.data.listing import Photographs, list_images, splits_of
from rescli.data.packing import MEAN_SHORTER, MEAN_SIZE, SUBSAMPLING, Prepared, for_training, kept_whole
from rescli.data.views import make_ready
from rescli.engine.observer import Observer, Silent
from rescli.errors import DataError, UsageError
from rescli.store.pack import Pack, PackedSplit
from rescli.store.pack_file import PackFile, new_pack
from rescli.store.pack_index import build_front, room_for

CROP = (MEAN_SIZE, MEAN_SIZE, 3)


@dataclass(frozen=True, kw_only=True)
class Packing:
    """What a user asked for. `data` holds train/ or val/ or both; `truth` is a file of the classes of val's images.

    Training images get a shorter side of at most `shorter` pixels, those that are encoded anew with JPEG's `quality`.
    """

    data: Path
    out: Path
    shorter: int = 480
    quality: int = 95
    truth: Path | None = None
    skip_damaged: bool = False


@dataclass(frozen=True, kw_only=True)
class SplitPacked:
    """What became of one split. `bytes` are its images' bytes; `skipped` are the names of damaged files."""

    name: str
    images: int
    bytes: int
    kept: int
    encoded: int
    skipped: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class PackMade:
    """A finished file of so many bytes."""

    bytes: int
    classes: int
    splits: tuple[SplitPacked, ...]


def pack(asked: Packing, observer: Observer | None = None) -> PackMade:
    """Write the file. Raises `DataError` for damaged images and odd folders, `StoreError` where it cannot be written.

    A file that is there already is a `UsageError`.
    """
    watching = observer or Silent()
    listings = _listings(asked)
    names = next((images.classes for images in listings.values() if images.classes), ())
    classes = _bytes_of(names)
    files = {name: _bytes_of(images.files) for name, images in listings.items()}
    room = room_for([(len(array), array.itemsize) for array in (classes, *files.values())], int(np.prod(CROP)) * 8)
    splits: dict[str, PackedSplit] = {}
    made: list[SplitPacked] = []
    with new_pack(asked.out, room) as file:
        make_ready()
        watching.begin(0, sum(map(len, listings.values())), 1)
        try:
            for name, images in listings.items():
                done = sum(len(listings[before]) for before in splits)
                splits[name], told = _split(name, images, files[name], asked, file, watching, done)
                made.append(told)
        finally:
            watching.end()
        about: dict[str, int | str] = {"shorter": asked.shorter, "quality": asked.quality}
        about |= {"subsampling": SUBSAMPLING, "resize": "bilinear"}
        index = Pack(splits=splits, classes=classes, about=about)
        file.finish(build_front(index, room, file.size))
    return PackMade(bytes=file.size, classes=len(classes), splits=tuple(made))


def _listings(asked: Packing) -> dict[str, Photographs]:
    """The images of each split, numbered by the classes of the first that has any."""
    found = splits_of(asked.data)
    if not found:
        raise DataError(
            f"{asked.data}: holds neither train/ nor val/", "Give the folder that holds one of them: --data DIR."
        )
    if asked.truth is not None and "val" not in found:
        raise UsageError(f"{asked.data} has no val/: --truth has no effect", "Leave it out.")
    listings: dict[str, Photographs] = {}
    for name in found:
        truth = asked.truth if name == "val" else None
        classes = listings["train"].classes if "train" in listings else ()
        # The development kit knows all classes, of which these may be some.
        images = list_images(asked.data, name, truth=truth, classes=classes if truth is not None and classes else None)
        if classes and images.classes != classes:
            strange = sorted(set(images.classes) - set(classes))
            if strange:
                raise DataError(
                    f"{asked.data}: val has the class {strange[0]}, which train has not",
                    "A net that is trained on one is tested on the other: they must have the same classes.",
                )
            images = list_images(asked.data, name, truth=truth, classes=classes)
        listings[name] = images
    return listings


def _bytes_of(names: tuple[str, ...]) -> npt.NDArray[np.bytes_]:
    return np.array([os.fsencode(name) for name in names], np.bytes_) if names else np.empty(0, "S1")


def _split(
    name: str,
    images: Photographs,
    files: npt.NDArray[np.bytes_],
    asked: Packing,
    file: PackFile,
    observer: Observer,
    before: int,
) -> tuple[PackedSplit, SplitPacked]:
    training = name == "train"

    def one(row: int) -> Prepared | DamagedImage:
        try:
            if training:
                return for_training(images, row, shorter=asked.shorter, quality=asked.quality)
            return kept_whole(images, row)
        except DamagedImage as error:
            if not asked.skip_damaged:
                raise
            return error

    start, total = file.begin(), np.zeros(CROP, np.int64)
    good, sizes, checksums = np.ones(len(images), np.bool_), [0], []
    skipped, kept = [], 0
    for row, found in enumerate(in_parallel(one, range(len(images)), workers=threads())):
        if isinstance(found, DamagedImage):
            observer.note(f"left out: {found.message}")
            good[row] = False
            skipped.append(images.files[row])
        else:
            file.write(found.data)
            sizes.append(len(found.data))
            checksums.append(found.crc32)
            kept += found.kept
            if found.crop is not None:
                total += found.crop
        observer.step(before + row + 1)
    if not checksums:
        raise DataError(f"{images.root}: no image could be decoded", "Is it the right folder?")
    counts = {"kept": kept, "encoded": len(checksums) - kept, "skipped": len(skipped)}
    about: dict[str, Any] = dict(counts)
    if training:
        about |= {"mean_sum@size": MEAN_SIZE, "mean_sum@shorter": MEAN_SHORTER, "mean_sum@images": len(checksums)}
    split = PackedSplit(
        start=start,
        files=files[good],
        labels=images.labels[good],
        offsets=np.cumsum(sizes, dtype=np.int64),
        crc32=np.array(checksums, np.uint32),
        mean_sum=total if training else None,
        about=about,
    )
    return split, _told(name, split, counts, tuple(skipped))


def _told(name: str, split: PackedSplit, counts: Mapping[str, int], skipped: tuple[str, ...]) -> SplitPacked:
    return SplitPacked(
        name=name,
        images=len(split.labels),
        bytes=int(split.offsets[-1]),
        kept=counts["kept"],
        encoded=counts["encoded"],
        skipped=skipped,
    )
