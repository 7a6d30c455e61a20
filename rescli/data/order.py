"""The order, crops and flips of an epoch's images (Sec. 4.2), each a function of the seed and the epoch alone.

The random bits are counter-based (Philox4x64-10): epoch e needs no epoch before it, so a run resumes exactly, and every
backend and every number of processes sees the same images. Only raw 64-bit words are taken from numpy, since the values of
its distributions may change between versions and those of its bit generators may not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rescli.errors import UsageError

PADDING = 4
"""Zeros on each side of an image before it is cropped, in pixels."""

MAX_SEED = 2**63 - 1
_ORDER, _CROPS = 0, 1  # streams: the same seed and epoch give unrelated bits in each
_OFFSETS = np.uint64(2 * PADDING + 1)
_BITS = np.uint64(31)
_MASK = np.uint64(2**31 - 1)


@dataclass(frozen=True, eq=False)
class EpochPlan:
    """Row i says what the i-th image of the epoch is.

    `index` int64 [N] is a permutation of the images; `dy` and `dx` int64 [N], in 0..8, are the corner of its 32x32 crop in
    the image padded by 4 (4, 4 is the image itself); where `flip` bool [N] is set, the crop is mirrored left to right.
    """

    index: npt.NDArray[np.int64]
    dy: npt.NDArray[np.int64]
    dx: npt.NDArray[np.int64]
    flip: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Order:
    """The plans of all epochs over `images` images. Raises `UsageError` for a seed outside 0..2^63 - 1."""

    images: int
    seed: int

    def __post_init__(self) -> None:
        assert self.images >= 1, self.images
        if not 0 <= self.seed <= MAX_SEED:
            raise UsageError(f"seed {self.seed} is not between 0 and 2^63 - 1")

    def epoch(self, epoch: int) -> EpochPlan:
        """The plan of epoch 0, 1, ..."""
        assert epoch >= 0, epoch
        # Sorting 64-bit random keys is a uniform shuffle; two equal keys (once in 10^10 epochs) keep the images' order.
        index = np.argsort(self.words(_ORDER, epoch), kind="stable")
        words = self.words(_CROPS, epoch)
        return EpochPlan(
            index=index.astype(np.int64, copy=False),
            dy=_offset(words & _MASK),
            dx=_offset((words >> _BITS) & _MASK),
            flip=(words >> np.uint64(63)).astype(np.bool_),
        )

    def words(self, stream: int, epoch: int, *, each: int = 1) -> npt.NDArray[np.uint64]:
        """`each` random words for each image, uint64 [N * each]. An epoch has 2^192 blocks of the counter to itself.

        Streams are unrelated; 0 and 1 are taken by the order and the crops of CIFAR.
        """
        key = np.array([self.seed, stream], np.uint64)
        counter = np.array([0, 0, 0, epoch], np.uint64)
        words: npt.NDArray[np.uint64] = np.random.Philox(key=key, counter=counter).random_raw(self.images * each)
        return words


def _offset(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
    """31 random bits to an offset in 0..8 by multiplying and shifting; uneven by less than one part in 10^8."""
    offsets: npt.NDArray[np.uint64] = (bits * _OFFSETS) >> _BITS
    return offsets.astype(np.int64)
