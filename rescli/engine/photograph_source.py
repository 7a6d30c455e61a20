"""ImageNet's images for a run: decoded and augmented by threads while the network is at work (Sec. 3.4)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.backends.team import Team
from rescli.data.chosen import damaged, without
from rescli.data.decode import decoder as host_decoder
from rescli.data.decode import threads
from rescli.data.gpu import JpegDevice
from rescli.data.gpu import decoder as gpu_decoder
from rescli.data.listing import Photographs, as_bytes, fingerprint, list_images
from rescli.data.locate import training_photographs
from rescli.data.mean import mean_of_sum
from rescli.data.packed import Packed
from rescli.data.photographs import pixel_sums, spread
from rescli.data.pixels import PhotographFeed
from rescli.data.views import make_ready
from rescli.engine.observer import Observer
from rescli.engine.photograph_batches import Stream
from rescli.engine.request import Request
from rescli.engine.source import Supply
from rescli.engine.stopping import StopSignals
from rescli.engine.suitable import check_batches, check_classes, tested_images
from rescli.errors import DataError, UsageError
from rescli.recipes.imagenet import SHORTER, ImageNetRecipe, in_proportion
from rescli.store.record import RunRecord


class Streamed:
    """Photographs in folders or in one file."""

    def __init__(
        self,
        recipe: ImageNetRecipe,
        request: Request,
        team: Team,
        observer: Observer,
        stop: StopSignals,
        *,
        quick: bool = False,
        decoder: JpegDevice | None = None,
    ) -> None:
        """`quick`: no mean image is computed; to time some steps any will do. `decoder`: the device that decodes, if any."""
        root = training_photographs(request.data)
        self._recipe, self._team = recipe, team
        self._workers = request.workers or max(1, threads() // _processes_here(team))
        self._observer, self._stop = observer, stop
        self._train: Photographs = list_images(root, "train")
        self._tested: Photographs = tested_images(root, recipe.tested, request, self._train)
        self._skipped: tuple[str, ...] | None = None  # None: nobody has asked which images are damaged
        if request.skip_damaged and not request.resumes:
            self._leave_out(self._damaged(self._train, "train") + self._damaged(self._tested, recipe.tested))
        self._parts = request.parts
        if not request.resumes:  # what a run leaves out is known in `check_same`
            self._check()
        self._decoder = decoder
        self.facts: Mapping[str, Any] = {"data": str(root.resolve()), "decoder": host_decoder()}
        if decoder is not None:
            self.facts = {**self.facts, "decode": "gpu", "decoder": gpu_decoder(decoder)}
        if request.truth is not None:
            self.facts = {**self.facts, "truth": str(request.truth.resolve())}
        self.classes = len(self._train.classes)
        self._side = in_proportion(SHORTER, recipe.size)
        self._mean = np.zeros((recipe.size, recipe.size, 3), np.float32) if quick else None

    @property
    def images(self) -> int:
        """Number of training images."""
        return len(self._train)

    @property
    def inputs(self) -> Mapping[str, npt.NDArray[Any]]:
        """The mean image, the names of the classes, a digest of which images these are, and what is damaged and left out."""
        names = None if self._skipped is None else np.array([as_bytes(name) for name in self._skipped], np.bytes_)
        return {
            **({} if names is None else {"skipped": names}),
            "mean_image": self.mean(),
            "classes": np.array([as_bytes(name) for name in self._train.classes]),
            "images_sha256": fingerprint(self._train),
            "tested_sha256": fingerprint(self._tested),
        }

    def mean(self) -> npt.NDArray[np.float32]:
        """The per-pixel mean of the training images, float32 [size, size, 3] in 0..1: computed once, or as a run has it."""
        if self._mean is None and self._recipe.mean_images is None and isinstance(self._train, Packed):
            self._mean = self._train.mean_image(self._recipe.size, self._side)  # packing has computed it
        if self._mean is None:
            rows = spread(self.images, self._recipe.mean_images)
            first, count = self._team.share(len(rows))
            self._observer.note(f"the mean image of {len(rows):,} training images ...")
            make_ready()
            self._observer.begin(0, count, 1)
            try:
                sums = pixel_sums(
                    self._train,
                    rows[first : first + count],
                    shorter=self._side,
                    size=self._recipe.size,
                    workers=self._workers,
                    seen=self._observer.step,
                    stop=self._told,
                )
            finally:
                self._observer.end()
            self._leave_if_told("the mean image was computed")
            total = self._team.sum_of(sums)
            self._mean = mean_of_sum(total, len(rows))
        return self._mean

    def check_same(self, request: Request, record: RunRecord) -> None:
        """Raises `DataError` where they are other images; the mean image is the stored one, and so is what is left out.

        Raises `UsageError` for `skip_damaged` where the run was begun without: which images come when follows from all of them.
        """
        if "skipped" in record.inputs:
            self._leave_out(tuple(name.decode(errors="surrogateescape") for name in record.inputs["skipped"].tolist()))
        elif request.skip_damaged:
            raise UsageError(
                f"{request.path} was begun without --skip-damaged, and what is left out is decided then",
                "Leave the option out and put a good copy of the image in its place, or begin another run.",
            )
        for images, digest, what in (
            (self._train, "images_sha256", "trained on"),
            (self._tested, "tested_sha256", "evaluated on"),
        ):
            if not np.array_equal(fingerprint(images), record.inputs.get(digest, ())):
                raise DataError(
                    f"{images.root} does not hold the images that {request.path} was {what}",
                    "Name their folder, or their file: --data.",
                )
        self._check()
        self._mean = np.asarray(record.inputs["mean_image"], np.float32)

    def _check(self) -> None:
        check_classes(self._train, self._tested)
        check_batches(len(self._train), self._recipe, self._team, self._parts)

    def _damaged(self, images: Photographs, split: str) -> tuple[str, ...]:
        """What cannot be decoded, as SPLIT/NAME: of several processes each decodes its share."""
        self._observer.note(f"decoding the {len(images):,} images of {split} ...")
        first, count = self._team.share(len(images))
        rows = range(first, first + count)
        found = damaged(images, rows, workers=self._workers, stop=self._told)
        self._leave_if_told("images were decoded")
        names = [f"{split}/{images.files[row]}" for row in np.flatnonzero(self._team.sum_of(found)).tolist()]
        for name in names:
            self._observer.note(f"left out: {name} cannot be decoded")
        return tuple(names)

    def _told(self) -> bool:
        return self._stop.received is not None

    def _leave_if_told(self, what: str) -> None:
        """Raises `StoppedEarly` or `Interrupted` in all processes where one has heard a signal."""
        if any(self._team.any(self._told())):
            error = self._stop.before(what)
            error.told = not self._team.first
            raise error

    def _leave_out(self, names: tuple[str, ...]) -> None:
        self._skipped = names
        if names:
            self._observer.note(f"{len(names):,} damaged images are left out")
        self._train = without(self._train, _of("train", names))
        self._tested = without(self._tested, _of(self._recipe.tested, names))
        for images, split in ((self._train, "train"), (self._tested, self._recipe.tested)):
            if not len(images):
                raise DataError(f"{images.root}: no image of {split} can be decoded", "Is it the right folder?")

    def feeds(self) -> Mapping[str, Any]:
        """What makes inputs of pixels. They hold no images."""
        mean, batch = self.mean(), self._recipe.batch_size
        return {"train": PhotographFeed(mean, batch), self._recipe.tested: PhotographFeed(mean, batch)}

    @contextmanager
    def supply(self) -> Iterator[Supply]:
        """Batches, each process decoding its share."""
        made = Stream(
            self._train,
            self._tested,
            self._recipe,
            self._team,
            workers=self._workers,
            side=self._side,
            decoder=self._decoder,
        )
        try:
            yield made
        finally:
            made.close()


def _of(split: str, names: tuple[str, ...]) -> list[str]:
    return [name.removeprefix(f"{split}/") for name in names if name.startswith(f"{split}/")]


def _processes_here(team: Team) -> int:
    return int(os.environ.get("LOCAL_WORLD_SIZE", team.size))
