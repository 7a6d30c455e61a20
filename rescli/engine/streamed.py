"""ImageNet's images for a run: decoded and augmented by threads while the network is at work (Sec. 3.4)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.backends.base import Worker
from rescli.backends.team import Team
from rescli.data.decode import decoder, threads
from rescli.data.listing import Photographs, list_images
from rescli.data.locate import training_photographs
from rescli.data.order import Order
from rescli.data.photographs import center_plans, fingerprint, pixel_sums, plan_of, spread
from rescli.data.pixels import PhotographFeed
from rescli.data.scaled import Augmentation
from rescli.data.stream import training_batches
from rescli.engine.observer import Observer
from rescli.engine.request import Request
from rescli.engine.source import Plans, Supply
from rescli.errors import DataError, UsageError
from rescli.recipes.imagenet import SHORTER, ImageNetRecipe, in_proportion
from rescli.store.record import RunRecord


class Streamed:
    """Photographs in folders or in one file."""

    def __init__(
        self, recipe: ImageNetRecipe, request: Request, team: Team, observer: Observer, *, quick: bool = False
    ) -> None:
        """`quick`: no mean image is computed; to time some steps any will do."""
        root = training_photographs(request.data)
        self._recipe, self._team = recipe, team
        self._workers = request.workers or max(1, threads() // _processes_here(team))
        self._train = list_images(root, "train")
        self._tested = list_images(root, recipe.tested, classes=self._train.classes)
        _check(self._train, self._tested, recipe, team)
        self.facts: Mapping[str, Any] = {"data": str(root.resolve()), "decoder": decoder()}
        self.images, self.classes = len(self._train), len(self._train.classes)
        self._side = in_proportion(SHORTER, recipe.size)
        self._observer = observer
        self._mean = np.zeros((recipe.size, recipe.size, 3), np.float32) if quick else None

    @property
    def inputs(self) -> Mapping[str, npt.NDArray[Any]]:
        """The mean image, the names of the classes, and a digest of which images these are."""
        return {
            "mean_image": self.mean(),
            "classes": np.array([name.encode() for name in self._train.classes]),
            "images_sha256": fingerprint(self._train),
        }

    def mean(self) -> npt.NDArray[np.float32]:
        """The per-pixel mean of the training images, float32 [size, size, 3] in 0..1: computed once, or as a run has it."""
        if self._mean is None:
            rows = spread(self.images, self._recipe.mean_images)
            first, count = self._team.share(len(rows))
            self._observer.note(f"the mean image of {len(rows):,} training images ...")
            self._observer.begin(0, count, 1)
            sums = pixel_sums(
                self._train,
                rows[first : first + count],
                shorter=self._side,
                size=self._recipe.size,
                workers=self._workers,
                seen=self._observer.step,
            )
            self._observer.end()
            total = self._team.sum_of(sums)
            self._mean = (total / (255.0 * len(rows))).astype(np.float32)
        return self._mean

    def check_same(self, request: Request, record: RunRecord) -> None:
        """Raises `DataError` where they are other images; the mean image is the stored one."""
        if not np.array_equal(fingerprint(self._train), record.inputs["images_sha256"]):
            raise DataError(
                f"{self._train.root} does not hold the images that {request.path} was trained on",
                "Name their folder, or their file: --data.",
            )
        self._mean = np.asarray(record.inputs["mean_image"], np.float32)

    def feeds(self) -> Mapping[str, Any]:
        """What makes inputs of pixels. They hold no images."""
        mean, batch = self.mean(), self._recipe.batch_size
        return {"train": PhotographFeed(mean, batch), self._recipe.tested: PhotographFeed(mean, batch)}

    @contextmanager
    def supply(self) -> Iterator[Supply]:
        """Batches, each process decoding its share."""
        made = _Stream(self._train, self._tested, self._recipe, self._team, workers=self._workers, side=self._side)
        try:
            yield made
        finally:
            made.close()


class _Stream:
    """A plan a batch."""

    def __init__(
        self, train: Photographs, tested: Photographs, recipe: ImageNetRecipe, team: Team, *, workers: int, side: int
    ) -> None:
        self._train, self._tested, self._recipe, self._team = train, tested, recipe, team
        self._workers, self._side = workers, side
        self._going: Any = None
        self._next = -1  # the iteration whose batch comes next

    def give(self, worker: Worker, iteration: int) -> tuple[int, int]:
        """The plan has this process's share alone, so its rows are counted from where that begins."""
        if iteration != self._next:
            self.close()
            self._going, self._next = self._from(iteration), iteration
        batch = next(self._going)
        self._next += 1
        worker.begin_epoch(plan_of(batch))
        first, _ = self._team.share(batch.images)
        return -first, batch.images - first

    def tested(self) -> Plans:
        first, count = self._team.share(len(self._tested))
        rows, size = range(first, first + count), self._recipe.size
        batch = self._recipe.batch_size
        return center_plans(self._tested, rows, shorter=self._side, size=size, batch=batch, workers=self._workers)

    def for_statistics(self, batches: int) -> Plans:
        going = self._from(self._recipe.iterations)
        try:
            for _ in range(batches):
                yield plan_of(next(going))
        finally:
            going.close()

    def close(self) -> None:
        """End the threads."""
        if self._going is not None:
            self._going.close()

    def _from(self, iteration: int) -> Any:
        order, how = Order(len(self._train), self._recipe.seed), augmentation(self._recipe)
        return training_batches(
            self._train,
            order,
            how,
            batch=self._recipe.batch_size,
            workers=self._workers,
            first=iteration,
            share=self._team.share,
        )


def augmentation(recipe: ImageNetRecipe) -> Augmentation:
    """What a resolved recipe does to its training images."""
    assert recipe.shortest is not None, "the recipe is resolved"
    return Augmentation(
        size=recipe.size,
        shortest=recipe.shortest,
        longest=recipe.longest or recipe.shortest,
        colour=bool(recipe.colour),
        random=recipe.augment,
    )


def _check(train: Photographs, tested: Photographs, recipe: ImageNetRecipe, team: Team) -> None:
    if not (train.classes and train.labelled and tested.labelled):
        root = train.root if not train.labelled else tested.root
        raise DataError(
            f"{root}: nothing says which class an image has",
            "Sort images into folders of their classes: train/WNID/*.JPEG and val/WNID/*.JPEG.",
        )
    last = len(train) % recipe.batch_size or recipe.batch_size
    if Team(team.size - 1, team.size).share(last)[1] < 1:
        raise UsageError(
            f"the last batch of an epoch has {last} images, too few for {team.size} processes",
            "Choose another --batch-size.",
        )


def _processes_here(team: Team) -> int:
    return int(os.environ.get("LOCAL_WORLD_SIZE", team.size))
