"""Augmentation of ImageNet's training images (Sec. 3.4): scale, crop, mirror, and colour.

"The image is resized with its shorter side randomly sampled in [256, 480] for scale augmentation. A 224x224 crop is randomly
sampled from an image or its horizontal flip, with the per-pixel mean subtracted. The standard color augmentation in [21] is
used." What happens to each image follows from the seed and the epoch alone, as in `data.order`: not from the number of threads.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from rescli.data.decode import rgb
from rescli.data.order import Order

SHORTEST, LONGEST = 256, 480
"""Shorter sides, in pixels; both ends are drawn."""

EIGENVALUES = np.array([0.2175, 0.0188, 0.0045])
"""Of the covariance of ImageNet's RGB values in 0..1 ([21]); not their square roots."""
EIGENVECTORS = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
"""In columns."""
COLOUR_STD = 0.1

_SCALE, _PLACE, _ALPHA = 2, 3, 4  # streams of random words; 0 and 1 are those of `Order` itself
_BITS, _MASK = np.uint64(31), np.uint64(2**31 - 1)


@dataclass(frozen=True, eq=False)
class ScaledPlan:
    """Row i says what the i-th image of an epoch is.

    `index` int64 [N] is a permutation of the images; `shorter` int64 [N] the shorter side it is resized to; `down` and
    `across` int64 [N], in 0..2^31 - 1, say how far the crop is down and across in what room there is; `flip` bool [N];
    `colour` float32 [N, 3] is added to red, green and blue in 0..1.
    """

    index: npt.NDArray[np.int64]
    shorter: npt.NDArray[np.int64]
    down: npt.NDArray[np.int64]
    across: npt.NDArray[np.int64]
    flip: npt.NDArray[np.bool_]
    colour: npt.NDArray[np.float32]

    def place(self, row: int) -> tuple[int, int, int, bool]:
        """Shorter side, how far down and across, mirrored or not: as `training_view` takes them."""
        return int(self.shorter[row]), int(self.down[row]), int(self.across[row]), bool(self.flip[row])


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """What is done to training images. Sizes in pixels; the defaults are the paper's.

    The shorter side is drawn from `shortest` to `longest`, both ends included; crops are of `size`.
    """

    size: int = 224
    shortest: int = SHORTEST
    longest: int = LONGEST
    colour: bool = True
    random: bool = True
    """False: the center of the image at its shortest, as it is, is every training view."""


def scaled_plan(order: Order, epoch: int, how: Augmentation = Augmentation()) -> ScaledPlan:
    """The plan of epoch 0, 1, ..."""
    index, n = order.epoch(epoch).index, order.images
    if not how.random:
        middle, nothing = np.full(n, 2**30, np.int64), np.zeros((n, 3), np.float32)
        shorter = np.full(n, how.shortest, np.int64)
        return ScaledPlan(index, shorter, down=middle, across=middle, flip=np.zeros(n, np.bool_), colour=nothing)
    scale, place = order.words(_SCALE, epoch), order.words(_PLACE, epoch)
    span = np.uint64(how.longest - how.shortest + 1)
    return ScaledPlan(
        index=index,
        shorter=how.shortest + (((scale & _MASK) * span) >> _BITS).astype(np.int64),
        down=(place & _MASK).astype(np.int64),
        across=((place >> _BITS) & _MASK).astype(np.int64),
        flip=(place >> np.uint64(63)).astype(np.bool_),
        colour=colour_shifts(_normal(order, epoch)) if how.colour else np.zeros((n, 3), np.float32),
    )


def colour_shifts(alpha: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """V (alpha * lambda) for each row of `alpha` [N, 3], as float32 [N, 3] in units of the white level."""
    shifts: npt.NDArray[np.float32] = (alpha * EIGENVALUES @ EIGENVECTORS.T).astype(np.float32)
    return shifts


def training_view(
    source: AbstractContextManager[Image.Image], shorter: int, down: int, across: int, flip: bool, size: int
) -> npt.NDArray[np.uint8]:
    """The crop, uint8 [size, size, 3], of one image. Raises `DataError` where it is damaged.

    Only the part that is kept is resized: the same pixels, to a level or so, as if all had been. A JPEG that is more than twice
    as large as needed is decoded at 1/2, 1/4 or 1/8, as its format allows.
    """
    with source as image:
        if image.format == "TIFF":
            image.load()  # one that lies on its side has its size only now (Pillow before 11.1)
        width, height = image.size
        scale = shorter / min(width, height)
        image.draft("RGB", (int(width * scale) + 1, int(height * scale) + 1))
        pixels = rgb(image)
    box = placed(width, height, pixels.size, shorter, down, across, size)
    crop = pixels.resize((size, size), Image.Resampling.BILINEAR, box=box)
    # Mirrored by Pillow, pixel by pixel: numpy copies a mirrored view three bytes at a time, as slowly as JPEG is decoded.
    return np.asarray(crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flip else crop)


def placed(
    width: int, height: int, decoded: tuple[int, int], shorter: int, down: int, across: int, size: int
) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of what becomes a crop, in pixels of the image as it was `decoded`: (width, height)."""
    wide, high = _resized(width, height, shorter)
    left, top = (across * (wide - size + 1)) >> 31, (down * (high - size + 1)) >> 31
    x, y = decoded[0] / wide, decoded[1] / high
    return left * x, top * y, min((left + size) * x, decoded[0]), min((top + size) * y, decoded[1])


def _resized(width: int, height: int, shorter: int) -> tuple[int, int]:
    """Both sides after resizing, as torchvision rounds them."""
    if width <= height:
        return shorter, int(shorter * height / width)
    return int(shorter * width / height), shorter


def _normal(order: Order, epoch: int) -> npt.NDArray[np.float64]:
    """Normal numbers with mean 0 and standard deviation 0.1, float64 [N, 3], by Box and Muller from raw words."""
    words = order.words(_ALPHA, epoch, each=4).reshape(-1, 2, 2)
    uniform = ((words >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53  # in (0, 1)
    radius, angle = np.sqrt(-2 * np.log(uniform[..., 0])), 2 * np.pi * uniform[..., 1]
    both = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=-1).reshape(-1, 4)
    normal: npt.NDArray[np.float64] = COLOUR_STD * both[:, :3]
    return normal
