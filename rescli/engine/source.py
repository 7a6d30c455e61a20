"""Where a run's images come from, as the loop sees them: the protocol, and CIFAR's images, which lie on the device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from rescli.backends.base import Worker
from rescli.backends.team import Team
from rescli.data.feed import ResidentImages
from rescli.data.mean import mean_image
from rescli.data.order import Order
from rescli.data.read import load
from rescli.data.split import split
from rescli.engine.request import Request
from rescli.errors import DataError, UsageError
from rescli.recipes.cifar import CifarRecipe
from rescli.recipes.recipe import Recipe
from rescli.store.record import RunRecord

Plans = Iterable[Any]
"""Plans as a worker takes them, one after the other."""


class Supply(Protocol):
    """The batches of a run in progress."""

    def give(self, worker: Worker, iteration: int) -> tuple[int, int]:
        """See that the worker has what `iteration` needs; the rows of its plan that are the batch, from and to."""

    def tested(self) -> Plans | None:
        """The share of this process in the images to be tested; None where they lie on the device."""

    def for_statistics(self, batches: int) -> Plans:
        """Training batches for BN's true averages: those that would follow the last iteration."""


class Source(Protocol):
    """A run's images: what of them stands in the store, and how they reach a worker."""

    @property
    def images(self) -> int:
        """Number of training images."""

    @property
    def classes(self) -> int:
        """Number of classes."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What a session should remember of them: where they are, and what decodes them. Nothing where a name says it all."""

    @property
    def inputs(self) -> Mapping[str, npt.NDArray[Any]]:
        """What of the images stands in the store: the mean image, and what tells whether they are the same again."""

    def check_same(self, request: Request, record: RunRecord) -> None:
        """Raises `DataError` where these are not the images that a stored run was trained on."""

    def feeds(self) -> Mapping[str, Any]:
        """The modules that make batches, by split; see `Job`."""

    def supply(self) -> AbstractContextManager[Supply]:
        """The batches, from whichever iteration is asked for first. What runs beside the loop ends with the context."""


class Resident:
    """CIFAR, or the built-in set: all in memory, cropped and mirrored where the network is."""

    def __init__(self, recipe: CifarRecipe, request: Request, team: Team) -> None:
        dataset = load(recipe.dataset, data=request.data)
        splits = split(dataset, recipe.validation)
        self.classes, self.images = len(dataset.classes), len(splits.train)
        _check_shares(self.images, recipe.batch_size, team)
        self.facts: Mapping[str, Any] = {}
        mean = mean_image(splits.train.images)
        self.inputs: Mapping[str, npt.NDArray[Any]] = {"mean_image": mean}
        tested = splits.test if splits.validation is None else splits.validation
        self._recipe, self._team, self._train = recipe, team, ResidentImages(splits.train, mean)
        self._feeds = {"train": self._train, recipe.tested: ResidentImages(tested, mean)}

    def check_same(self, request: Request, record: RunRecord) -> None:
        """Raises `DataError` where the mean image is another one."""
        if not np.array_equal(self.inputs["mean_image"], record.inputs["mean_image"]):
            raise DataError(
                f"the training images are not those that {request.path} was trained on (their mean image differs)",
                f"`rescli data verify {request.recipe.dataset}` checks them.",
            )

    def feeds(self) -> Mapping[str, ResidentImages]:
        """The images themselves."""
        return self._feeds

    @contextmanager
    def supply(self) -> Iterator[Supply]:
        """Plans of epochs; of several processes each takes its share of a batch on the device."""
        yield _Epochs(self._train, Order(self.images, self._recipe.seed), self._recipe, self._team)


def _check_shares(images: int, batch: int, team: Team) -> None:
    """Raises `UsageError` where a process would have nothing of an epoch's short last batch, and no gradient to add."""
    last = images % batch or batch
    if min(Team(rank, team.size).share(last)[1] for rank in range(team.size)) == 0:
        raise UsageError(
            f"the last batch of an epoch has {last} of {images:,} images: too few for each of {team.size} processes",
            "Choose fewer --devices, or another --batch-size.",
        )


class _Epochs:
    """A plan an epoch."""

    def __init__(self, feed: ResidentImages, order: Order, recipe: Recipe, team: Team) -> None:
        self._feed, self._order, self._recipe, self._team = feed, order, recipe, team
        self._epoch = -1  # that the worker has

    def give(self, worker: Worker, iteration: int) -> tuple[int, int]:
        epoch, first, last = self._rows(iteration)
        if epoch != self._epoch:
            worker.begin_epoch(self._plan(epoch))
            self._epoch = epoch
        return first, last

    def tested(self) -> Plans | None:
        return None

    def for_statistics(self, batches: int) -> Plans:
        for iteration in range(self._recipe.iterations, self._recipe.iterations + batches):
            epoch, first, last = self._rows(iteration)
            begin, count = self._team.share(last - first)
            yield tuple(rows[first + begin : first + begin + count] for rows in self._plan(epoch))

    def _rows(self, iteration: int) -> tuple[int, int, int]:
        """The epoch of an iteration, and the rows of its plan; an epoch ends with a short batch: every image once."""
        images, batch = self._order.images, self._recipe.batch_size
        epoch, step = divmod(iteration, -(-images // batch))
        return epoch, step * batch, min((step + 1) * batch, images)

    def _plan(self, epoch: int) -> tuple[Any, ...]:
        plan = self._feed.plan_tensors(self._order.epoch(epoch))
        return plan if self._recipe.augment else plan[:1]
