"""The mean image that every input has subtracted (Sec. 3.4 and 4.2: "with the per-pixel mean subtracted")."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_CHUNK = 1024
"""Images summed at a time: their uint32 sums cannot overflow, and stay in the processor's cache."""


def mean_image(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    """The per-pixel mean of `images`, uint8 [N, H, W, 3] in 0..255, as float32 [H, W, 3] in 0..1.

    The sums are exact integers, so the result does not depend on the machine or on the order of the images: one float64
    division, one rounding to float32. Needs no memory in proportion to N. `images` must not be empty.
    """
    assert images.dtype == np.uint8, images.dtype
    assert len(images) > 0
    total = np.zeros(images.shape[1:], np.int64)
    for start in range(0, len(images), _CHUNK):
        total += images[start : start + _CHUNK].sum(axis=0, dtype=np.uint32)
    return mean_of_sum(total, len(images))


def mean_of_sum(total: npt.NDArray[np.int64], images: int) -> npt.NDArray[np.float32]:
    """The mean of so many images in 0..1, float32, from the exact sum of their pixels in 0..255, both [H, W, 3]."""
    return (total / (255.0 * images)).astype(np.float32)
