"""ImageNet's training images without a network: our threads beside ImageFolder and DataLoader, with the same augmentation."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder
from torchvision.transforms import Compose, RandomCrop, RandomHorizontalFlip, Resize, ToTensor

from rescli.bench.cold import files_of, forget
from rescli.bench.pairs import duel
from rescli.bench.versus import Versus
from rescli.data.decode import threads
from rescli.data.listing import Photographs, list_images
from rescli.data.order import Order
from rescli.data.photographs import plan_of
from rescli.data.pixels import PhotographFeed
from rescli.data.scaled import COLOUR_STD, EIGENVALUES, EIGENVECTORS, LONGEST, SHORTEST, Augmentation
from rescli.data.stream import training_batches
from rescli.errors import UsageError

SIZE = 224


def measure_photographs(
    data: Path,
    *,
    beside: Path | None = None,
    cold: bool = False,
    batch_size: int,
    batches: int,
    pairs: int,
    workers: int,
) -> Versus:
    """Images a second, from files to float32 [n, 3, 224, 224] in memory. Raises `DataError` and `UsageError`.

    `data` is a folder or a file of packed images. ImageFolder reads `beside`, by default the same folder. `cold`: the page
    cache forgets the files before every sample, as it does in the course of an epoch that is larger than memory.
    """
    if (beside or data).is_file():
        raise UsageError(
            f"{beside or data} is a file, which ImageFolder cannot read", "Name the folder beside it: --beside DIR."
        )
    listing = list_images(data, "train")
    rival = listing if beside is None else list_images(beside, "train")
    if not rival.classes:
        raise UsageError(f"{rival.root} is not sorted into classes", "ImageFolder needs train/WNID/*.JPEG.")
    for images in (listing, rival):
        if len(images) < batch_size:
            raise UsageError(
                f"{images.root} has {len(images)} images: no batch of {batch_size}", "Choose --batch-size."
            )
    mean = torch.full((SIZE, SIZE, 3), 0.45)
    ours, theirs = our_batches(listing, batch_size, workers, mean), _theirs(rival.root, batch_size, workers, mean)
    return Versus(
        what=f"batches of {batch_size} photographs",
        amount=batches * batch_size,
        unit="images/s",
        duel=duel(
            lambda: seconds_of(ours, batches, data if cold else None),
            lambda: seconds_of(theirs, batches, rival.root if cold else None),
            pairs=pairs,
        ),
        rival=f"ImageFolder, DataLoader, {workers} workers",
        extra={
            "data": str(listing.root),
            "beside": str(rival.root),
            "images": len(listing),
            "threads": workers or threads(),
            "cold": cold,
        },
    )


def seconds_of(batches: Iterator[Tensor], number: int, cold: Path | None = None) -> float:
    """How long so many take; after the files of `cold` were forgotten by the page cache."""
    if cold is not None:
        forget(files_of(cold))
    start = perf_counter()
    for x in itertools.islice(batches, number):
        assert x.shape[1:] == (3, SIZE, SIZE)
    return perf_counter() - start


def our_batches(images: Photographs, batch_size: int, workers: int, mean: Tensor) -> Iterator[Tensor]:
    """Full batches of training inputs, float32 [n, 3, 224, 224], without end; each is valid until the next."""
    inputs, order = PhotographFeed(mean.numpy(), batch_size), Order(len(images), 0)
    for made in training_batches(images, order, Augmentation(), batch=batch_size, workers=workers or threads()):
        if len(made.labels) == batch_size:
            x, _ = inputs(*plan_of(made))
            yield x


class _RandomScale:
    """As people write it."""

    def __call__(self, image: Image.Image) -> Any:
        return Resize(random.randint(SHORTEST, LONGEST))(image)  # noqa: S311


class _Lighting:
    """As people write it: PCA colour augmentation on a tensor in 0..1."""

    def __init__(self) -> None:
        self.values, self.vectors = torch.tensor(EIGENVALUES).float(), torch.tensor(EIGENVECTORS).float()

    def __call__(self, image: Tensor) -> Tensor:
        alpha = torch.randn(3) * COLOUR_STD
        return image + (self.vectors @ (alpha * self.values)).view(3, 1, 1)


class _MeanImage:
    """Subtract the per-pixel mean."""

    def __init__(self, mean: Tensor) -> None:
        self.mean = mean.permute(2, 0, 1).contiguous()

    def __call__(self, image: Tensor) -> Tensor:
        return image - self.mean


def _theirs(root: Path, batch_size: int, workers: int, mean: Tensor) -> Iterator[Tensor]:
    transform = Compose(
        [_RandomScale(), RandomCrop(SIZE), RandomHorizontalFlip(), ToTensor(), _Lighting(), _MeanImage(mean)]
    )
    loader: DataLoader[Any] = DataLoader(
        ImageFolder(str(root), transform=transform),
        batch_size=batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    while True:
        for x, _ in loader:
            yield x
