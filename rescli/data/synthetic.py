"""The built-in data set: ten shapes and textures, made from counter-based random bits with integer arithmetic.

The bytes are the same on every machine and with every version of numpy: only raw 64-bit words are drawn, and no floating
point is used. Position, size, tilt, colours and brightness vary within every class, as do distracting boxes and noise, so
that no pixel tells the class; the classes do not change when an image is mirrored or moved by a few pixels (Sec. 4.2).
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from rescli.data.dataset import Dataset, Images
from rescli.data.names import DATASETS
from rescli.data.shapes import SHAPES, UNIT, Field, coverage

SHA256 = "26734ca24cda56c10e4b0fb4529f901f5e58ab11c85e2cc3fa10f11e47290f2e"
"""Of the training images, training labels, test images and test labels, one after the other; see `digest`."""

_SIZE = DATASETS["synthetic"].image_size
_SEED = 151203385
_FIELDS = 32
"""16-bit random numbers that an image can use."""


def make() -> Dataset:
    """10,000 training and 2,000 test images, the same number of each class; image i is of class i mod 10."""
    facts = DATASETS["synthetic"]
    train = _images(facts.train_images, stream=0)
    test = _images(facts.test_images, stream=1)
    return Dataset(facts.name, facts.class_names, train, test)


def digest(dataset: Dataset) -> str:
    """The SHA-256 of all images and labels, in hexadecimal."""
    total = hashlib.sha256()
    for part in (dataset.train, dataset.test):
        total.update(np.ascontiguousarray(part.images).data)
        total.update(np.ascontiguousarray(part.labels, "<i8").data)
    return total.hexdigest()


class _Draws:
    """Whole numbers for `n` images; every call of `pick` takes the next 16 random bits of each image."""

    def __init__(self, bits: npt.NDArray[np.uint16]) -> None:
        self._bits = bits  # [n, _FIELDS]
        self._next = 0

    def pick(self, low: int, high: int) -> Field:
        """From `low` to `high`, both included: int32 [n, 1, 1]."""
        bits = self._bits[:, self._next].astype(np.int32)
        self._next += 1
        return (low + ((bits * (high - low + 1)) >> 16))[:, None, None]

    def pixels(self, low: int, high: int) -> Field:
        """The same in 1/16 of a pixel, for bounds in pixels."""
        return self.pick(low * UNIT, high * UNIT)


def _raw(words: int, stream: int, purpose: int) -> npt.NDArray[np.uint64]:
    """Random words, little-endian on every machine."""
    key = np.array([_SEED, 2 * stream + purpose], np.uint64)
    return np.random.Philox(key=key, counter=np.zeros(4, np.uint64)).random_raw(words).astype("<u8")


def _images(n: int, stream: int) -> Images:
    labels = np.arange(n, dtype=np.int64) % len(SHAPES)
    bits = _raw(n * _FIELDS // 4, stream, 0).view("<u2").reshape(n, _FIELDS)
    noise = _raw(n * _SIZE * _SIZE * 3 // 8, stream, 1).view(np.uint8).reshape(n, _SIZE, _SIZE, 3)
    images = np.empty((n, _SIZE, _SIZE, 3), np.uint8)
    for label in range(len(SHAPES)):
        rows = slice(label, None, len(SHAPES))
        images[rows] = _paint(label, _Draws(bits[rows]), noise[rows])
    return Images(images, labels)


def _paint(label: int, draws: _Draws, noise: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Images of one class, uint8 [n, H, W, 3]."""
    covered = coverage(_place(label, draws))
    shade = _shade(draws)
    images: npt.NDArray[np.int16] = (
        (noise & 15).astype(np.int16) + (noise >> 4) - 15
    ) * 2  # grain: -30..30, triangular
    for channel, (ground, step) in enumerate(zip(*_colours(draws), strict=True)):  # numpy is slow on a last axis of 3
        images[..., channel] += ground + shade + ((step * covered) >> 4)
    return np.clip(images, 0, 255).astype(np.uint8)


def _place(label: int, draws: _Draws) -> Field:
    """The field of one shape, moved, scaled and tilted in each image: int32 [n, H, W]."""
    axis = (np.arange(_SIZE, dtype=np.int32) * 2 - _SIZE + 1) * (UNIT // 2)  # of pixel centres, from the image's centre
    x = axis[None, None, :] - draws.pixels(-6, 6)
    y = axis[None, :, None] - draws.pixels(-6, 6)
    tilt = draws.pick(-40, 40)  # in 1/256: up to 9 degrees
    x, y = x - ((tilt * y) >> 8), y + ((tilt * x) >> 8)
    return SHAPES[label](x, y, draws.pixels(6, 12), draws.pixels(5, 7))


def _shade(draws: _Draws) -> npt.NDArray[np.int16]:
    """Brightness: falling off across the image, and three lighter or darker boxes. int16 [n, H, W]."""
    axis = np.arange(_SIZE, dtype=np.int32) - _SIZE // 2
    shade = ((draws.pick(-32, 32) * axis[None, None, :] + draws.pick(-32, 32) * axis[None, :, None]) >> 4).astype(
        np.int16
    )
    for _ in range(3):
        across = np.abs(axis[None, None, :] - draws.pick(-16, 16)) <= draws.pick(0, 5)
        down = np.abs(axis[None, :, None] - draws.pick(-16, 16)) <= draws.pick(0, 5)
        shade += (across & down) * draws.pick(-60, 60).astype(np.int16)
    return shade


def _colours(draws: _Draws) -> tuple[npt.NDArray[np.int16], npt.NDArray[np.int16]]:
    """The colour of the ground, and the step from it to the shape's colour: int16 [3, n, 1, 1] each."""
    middle = draws.pick(96, 160)
    contrast = draws.pick(20, 60) * (2 * draws.pick(0, 1) - 1)  # lighter or darker than the ground
    ground = np.stack([middle - contrast + draws.pick(-50, 50) for _ in range(3)])
    shape = np.stack([middle + contrast + draws.pick(-50, 50) for _ in range(3)])
    return ground.astype(np.int16), (shape - ground).astype(np.int16)
