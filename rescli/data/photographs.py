"""Photographs as plans for a worker: training batches, the center crops that are tested on the way, and their mean image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rescli.data.decode import decode, in_parallel
from rescli.data.listing import Photographs
from rescli.data.stream import Batch
from rescli.data.views import center_view

Plan = tuple[Tensor, ...]
"""Pixels uint8 [n, size, size, 3], labels int64 [n], and colours float32 [n, 3] if they are shifted."""


def plan_of(batch: Batch[Any]) -> Plan:
    """A training batch as a plan; in the memory of the batch."""
    return tuple(torch.as_tensor(part) for part in (batch.pixels, batch.labels, batch.colour))


def center_plans(
    images: Photographs, rows: Sequence[int], *, shorter: int, size: int, batch: int, workers: int
) -> Iterator[Plan]:
    """Center crops of these images with their labels, in order. Raises `DataError` for a damaged one."""

    def view(row: int) -> npt.NDArray[np.uint8]:
        return center_view(decode(images.opened(row)), shorter, size)

    views = in_parallel(view, rows, workers=workers, ahead=2 * batch)
    try:
        for first in range(0, len(rows), batch):
            some = rows[first : first + batch]
            pixels = np.stack([next(views) for _ in some])
            yield torch.from_numpy(pixels), torch.from_numpy(images.labels[np.asarray(some)])
    finally:
        views.close()


def pixel_sums(
    images: Photographs,
    rows: Sequence[int],
    *,
    shorter: int,
    size: int,
    workers: int,
    seen: Callable[[int], None] = lambda _: None,
    stop: Callable[[], bool] = lambda: False,
) -> npt.NDArray[np.int64]:
    """The sums over center crops of these images, int64 [size, size, 3], exact; `seen` hears how many are done.

    Divided by 255 times the number of images they are the mean image. `stop` is asked after each; where it says yes, the rest
    is left out. Raises `DataError` for a damaged image.
    """

    def view(row: int) -> npt.NDArray[np.uint8]:
        return center_view(decode(images.opened(row)), shorter, size)

    total = np.zeros((size, size, 3), np.int64)
    views = in_parallel(view, rows, workers=workers)
    for number, pixels in enumerate(views, start=1):
        total += pixels
        seen(number)
        if stop():
            views.close()
            break
    return total


def spread(images: int, number: int | None) -> range | list[int]:
    """So many rows, evenly over all; None: all."""
    if number is None or number >= images:
        return range(images)
    return [i * images // number for i in range(number)]
