"""Some of the photographs of a folder or file: those that can be decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from rescli.data.decode import DamagedImage, decode, in_parallel
from rescli.data.listing import Photographs


@dataclass(frozen=True, eq=False)
class Chosen:
    """`Photographs`: rows `rows`, int64 [n], of others, in their order; all their classes."""

    whole: Photographs
    rows: npt.NDArray[np.int64]

    @property
    def root(self) -> Path:
        """Where they are."""
        return self.whole.root

    @cached_property
    def files(self) -> tuple[str, ...]:
        """The name of each."""
        return tuple(self.whole.files[row] for row in self.rows.tolist())

    @cached_property
    def labels(self) -> npt.NDArray[np.int64]:
        """The class of each."""
        labels: npt.NDArray[np.int64] = self.whole.labels[self.rows]
        return labels

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""
        return self.whole.classes

    @property
    def labelled(self) -> bool:
        """Whether every class is known."""
        return self.whole.labelled

    def __len__(self) -> int:
        return len(self.rows)

    def read(self, row: int) -> bytes:
        """The bytes of image `row` of those that are left."""
        return self.whole.read(int(self.rows[row]))

    def opened(self, row: int) -> AbstractContextManager[Image.Image]:
        """Image `row` of those that are left, as `Photographs.opened` says."""
        return self.whole.opened(int(self.rows[row]))


def damaged(
    images: Photographs, rows: Sequence[int], *, workers: int, stop: Callable[[], bool] = lambda: False
) -> npt.NDArray[np.int64]:
    """Which of these rows cannot be decoded: int64 [N] over all images, 1 where one is damaged.

    `stop` is asked after each; where it says yes, the rest is not looked at.
    """

    def wrong(row: int) -> bool:
        try:
            decode(images.opened(row))
        except DamagedImage:
            return True
        return False

    found = np.zeros(len(images), np.int64)
    answers = in_parallel(wrong, rows, workers=workers)
    for row in rows:
        found[row] = next(answers)
        if stop():
            break
    answers.close()
    return found


def without(images: Photographs, names: Iterable[str]) -> Photographs:
    """All but those with these names."""
    left_out = set(names)
    if not left_out:
        return images
    kept = [row for row, name in enumerate(images.files) if name not in left_out]
    return Chosen(images, np.array(kept, np.int64))
