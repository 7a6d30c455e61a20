"""Which data sets there are: plain facts, without torch, for the command line and for error messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from rescli.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class DatasetInfo:
    """The facts of one data set. Images are RGB, `image_size` pixels high and wide."""

    name: str
    title: str
    classes: int
    class_names: tuple[str, ...]
    """Empty where the names are read from the data set's own files (CIFAR-100)."""
    image_size: int = 32
    train_images: int
    test_images: int
    source: str
    folder: str | None = None
    """The folder that its files are in, as published; None for a data set without files."""

    @property
    def needs_files(self) -> bool:
        """Whether it has to be downloaded or placed by hand."""
        return self.folder is not None


_ALL = (
    DatasetInfo(
        name="cifar10",
        title="CIFAR-10",
        classes=10,
        class_names=("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"),
        train_images=50_000,
        test_images=10_000,
        source="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; the data set of Sec. 4.2.",
        folder="cifar-10-batches-py",
    ),
    DatasetInfo(
        name="cifar100",
        title="CIFAR-100",
        classes=100,
        class_names=(),
        train_images=50_000,
        test_images=10_000,
        source="Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; the 100 fine labels.",
        folder="cifar-100-python",
    ),
    DatasetInfo(
        name="synthetic",
        title="Shapes and textures",
        classes=10,
        class_names=(
            "disc",
            "ring",
            "square",
            "diamond",
            "triangle",
            "cross",
            "rows",
            "columns",
            "checks",
            "dots",
        ),
        train_images=10_000,
        test_images=2_000,
        source="Made by rescli itself, the same bytes everywhere: for trying things out without a download.",
    ),
)

DATASETS: Mapping[str, DatasetInfo] = MappingProxyType({info.name: info for info in _ALL})
"""By name, in the order in which they are listed."""


def info(name: str) -> DatasetInfo:
    """The facts of the data set called `name`. Raises `UsageError` with suggestions for an unknown name."""
    if name in DATASETS:
        return DATASETS[name]
    plain = "".join(letter for letter in name.lower() if letter.isalnum())  # CIFAR-10, cifar_10
    similar = [plain] if plain in DATASETS else get_close_matches(plain, DATASETS, n=2, cutoff=0.5)
    meant = f"Did you mean {' or '.join(similar)}? " if similar else ""
    raise UsageError(f"no data set is called {name!r}", f"{meant}There are: {', '.join(DATASETS)}.")
