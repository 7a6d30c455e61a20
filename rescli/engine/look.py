"""`rescli data verify imagenet`: every image of a folder decoded once, and counted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from rescli.data.decode import decode, in_parallel, is_grey, threads
from rescli.data.listing import Listing, Photographs, list_images, splits_of
from rescli.engine.observer import Observer
from rescli.errors import DataError, UsageError


@dataclass(frozen=True, kw_only=True)
class SplitFound:
    """What one split holds. `each` says how many images a class has; `damaged` what is wrong, a line for each file."""

    name: str
    classes: int
    images: int
    each: str
    grey: int
    damaged: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a folder holds. `remarks` are about the splits together."""

    splits: tuple[SplitFound, ...]
    remarks: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing is amiss."""
        return not self.remarks and not any(split.damaged for split in self.splits)


def look_at(root: Path, observer: Observer, *, truth: Path | None = None) -> Found:
    """Decode every image below `root/train` and `root/val`, or `root/test` alone, or `root` itself, or in packed images.

    Of packed images the checksums are compared too. `truth` is a file with the classes of val's images, or of `root`'s own,
    where they lie in no folders of classes. Raises `DataError` where there are none, and `UsageError` for a `truth` of other
    classes or without effect.
    """
    known_splits = splits_of(root) or _test_alone(root)
    names = known_splits or (root.resolve().name,)
    if truth is not None and names == ("train",):
        raise UsageError(f"{root} holds no val/: --truth has no effect", "Leave it out.")
    listings: list[Photographs] = []
    for name in names:
        known = listings[0].classes if truth is not None and listings else None
        split = name if known_splits else ""  # a class may be called as the folder is
        said = truth if name != "train" else None
        listings.append(list_images(root, split, truth=said, classes=known, gaps=True))
    splits = []
    observer.begin(0, sum(len(listing) for listing in listings), 1)
    done = 0
    try:
        for name, listing in zip(names, listings, strict=True):
            splits.append(_look(name, listing, observer, done))
            done += len(listing)
    finally:
        observer.end()
    remarks = []
    for name, listing in zip(names, listings, strict=True):
        if isinstance(listing, Listing) and listing.empty:
            remarks.append(f"{name} has no images of {_some(listing.empty)}: empty folders")
    if len(listings) == 2 and listings[1].labelled and listings[0].classes != listings[1].classes:
        alone = sorted(set(listings[0].classes) ^ set(listings[1].classes))
        remarks.append(f"train and val have different classes: {_some(alone)}")
    return Found(splits=tuple(splits), remarks=tuple(remarks))


def _test_alone(root: Path) -> tuple[str, ...]:
    """Where there is nothing but the test server's images they are a split, no class."""
    with suppress(OSError):  # whatever is wrong with the folder is told where its images are listed
        folders = [name for name in os.listdir(root) if not name.startswith(".")]  # noqa: PTH208 - names alone
        return ("test",) if folders == ["test"] else ()
    return ()


def _some(names: Sequence[str]) -> str:
    return f"{', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"


def _look(name: str, listing: Photographs, observer: Observer, before: int) -> SplitFound:
    def one(row: int) -> bool | str:
        try:
            image = decode(listing.opened(row))
        except DataError as error:
            return error.message
        return is_grey(image)

    grey, damaged = 0, []
    for number, answer in enumerate(in_parallel(one, range(len(listing)), workers=threads()), start=1):
        if isinstance(answer, str):
            damaged.append(answer)
        else:
            grey += answer
        observer.step(before + number)
    counts = np.bincount(listing.labels, minlength=len(listing.classes)) if listing.labelled else np.zeros(0, np.int64)
    each = (
        ""
        if not len(counts)
        else f"{counts.min()}"
        if counts.min() == counts.max()
        else f"{counts.min()} to {counts.max()}"
    )
    return SplitFound(
        name=name, classes=len(listing.classes), images=len(listing), each=each, grey=grey, damaged=tuple(damaged)
    )
