"""The batches of a run on photographs, decoded by threads ahead of the loop."""

from __future__ import annotations

from functools import partial
from typing import Any

from rescli.backends.base import Worker
from rescli.backends.team import Team
from rescli.data.gpu import JpegDevice, batches_on
from rescli.data.listing import Photographs
from rescli.data.order import Order
from rescli.data.photographs import center_plans, plan_of
from rescli.data.scaled import Augmentation
from rescli.data.stream import training_batches
from rescli.engine.source import Plans
from rescli.recipes.imagenet import ImageNetRecipe


class Stream:
    """A plan a batch."""

    def __init__(
        self,
        train: Photographs,
        tested: Photographs,
        recipe: ImageNetRecipe,
        team: Team,
        *,
        workers: int,
        side: int,
        decoder: JpegDevice | None = None,
    ) -> None:
        """`decoder`: the device that decodes training images, if not the host."""
        self._train, self._tested, self._recipe, self._team = train, tested, recipe, team
        self._workers, self._side, self._decoder = workers, side, decoder
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
        """Center crops of this process's share of the validation images."""
        first, count = self._team.share(len(self._tested))
        rows, size = range(first, first + count), self._recipe.size
        batch = self._recipe.batch_size
        return center_plans(self._tested, rows, shorter=self._side, size=size, batch=batch, workers=self._workers)

    def for_statistics(self, batches: int) -> Plans:
        """The batches that would follow the last iteration."""
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
        batches = training_batches if self._decoder is None else partial(batches_on, self._decoder)
        return batches(
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
