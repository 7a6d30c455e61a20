"""Training batches of photographs, decoded and augmented by threads that are ahead of whoever takes them (Sec. 3.4)."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from itertools import count
from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

from rescli.data.decode import in_parallel
from rescli.data.listing import Photographs
from rescli.data.order import Order
from rescli.data.scaled import Augmentation, ScaledPlan, scaled_plan, training_view

Pixels = TypeVar("Pixels")

BATCHES_AHEAD = 2


@dataclass(frozen=True, eq=False)
class Batch(Generic[Pixels]):
    """Crops uint8 [n, size, size, 3], their labels int64 [n], and float32 [n, 3] to be added to their colours in 0..1.

    `images` counts the whole batch, where several processes share it and n is this one's part. The crops are an array, or a
    tensor where a GPU has made them (`data.gpu`).
    """

    pixels: Pixels
    labels: npt.NDArray[np.int64]
    colour: npt.NDArray[np.float32]
    images: int


@dataclass(frozen=True, eq=False)
class Slot:
    """A batch to come: `rows` of an epoch's plan are this process's part of so many `images`."""

    plan: ScaledPlan
    rows: slice
    images: int


@dataclass(frozen=True, eq=False)
class _Place:
    """One image to come: row `row` of an epoch's plan goes to place `number` of a batch."""

    pixels: npt.NDArray[np.uint8]
    number: int
    plan: ScaledPlan
    row: int


def everything(images: int) -> tuple[int, int]:
    """The share of a process by itself: all of a batch, from its first image on."""
    return 0, images


def slots(
    order: Order, how: Augmentation, batch: int, first: int, share: Callable[[int], tuple[int, int]]
) -> Iterator[Slot]:
    """The batches of iterations `first`, `first` + 1, ... without end, before anything is decoded."""
    epoch, plan = -1, None
    for iteration in count(first):
        number, step = divmod(iteration, -(-order.images // batch))
        if plan is None or number != epoch:
            epoch, plan = number, scaled_plan(order, number, how)
        start = step * batch
        together = min(batch, order.images - start)
        begin, mine = share(together)
        yield Slot(plan, slice(start + begin, start + begin + mine), together)


def training_batches(
    images: Photographs,
    order: Order,
    how: Augmentation,
    *,
    batch: int,
    workers: int,
    first: int = 0,
    share: Callable[[int], tuple[int, int]] = everything,
) -> Generator[Batch[npt.NDArray[np.uint8]], None, None]:
    """The batches of iterations `first`, `first` + 1, ... without end; an epoch ends with a short one: every image once.

    What is in them follows from the order's seed alone, not from `workers`, nor from where one begins. `share` says
    which part of so many images this process decodes: where it begins and how many there are. The arrays of a batch are
    valid until the next one is asked for. Raises `DataError` for a damaged image.
    """
    most = max(share(together)[1] for together in (batch, order.images % batch or batch))
    made: deque[tuple[Batch[npt.NDArray[np.uint8]], npt.NDArray[np.uint8]]] = deque()
    free: list[npt.NDArray[np.uint8]] = []  # memory that is new for each batch would cost more than the arithmetic

    def places() -> Iterator[_Place]:
        for slot in slots(order, how, batch, first, share):
            plan, rows = slot.plan, slot.rows
            mine = rows.stop - rows.start
            pixels = free.pop() if free else np.empty((most, how.size, how.size, 3), np.uint8)
            labels = images.labels[plan.index[rows]]
            made.append((Batch(pixels[:mine], labels, plan.colour[rows], slot.images), pixels))
            yield from (_Place(pixels, place, plan, rows.start + place) for place in range(mine))

    def decode(place: _Place) -> None:
        image = images.opened(int(place.plan.index[place.row]))
        place.pixels[place.number] = training_view(image, *place.plan.place(place.row), how.size)

    done = in_parallel(decode, places(), workers=workers, ahead=BATCHES_AHEAD * share(batch)[1])
    try:
        while True:
            next(done)  # the first image of a batch: from here on it is announced
            ready, memory = made.popleft()
            for _ in range(len(ready.labels) - 1):
                next(done)
            yield ready
            free.append(memory)
    finally:
        done.close()
