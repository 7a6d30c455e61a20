"""A data set in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, eq=False)
class Images:
    """Images and their labels: `images` uint8 [N, 32, 32, 3] in RGB, `labels` int64 [N], counted from 0."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        assert self.images.ndim == 4, self.images.shape
        assert self.images.shape[-1] == 3, self.images.shape
        assert self.images.dtype == np.uint8, self.images.dtype
        assert self.labels.dtype == np.int64, self.labels.dtype
        assert self.labels.shape == self.images.shape[:1], self.labels.shape

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice) -> Images:
        """Some of the images, without a copy."""
        return Images(self.images[rows], self.labels[rows])


@dataclass(frozen=True, eq=False)
class Dataset:
    """The training and test images of the data set called `name`; `classes` are the names of labels 0, 1, ..."""

    name: str
    classes: tuple[str, ...]
    train: Images
    test: Images
