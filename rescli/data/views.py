"""The views of an image that are tested (Sec. 3.4): one crop, ten, or whole images at several scales."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from rescli.errors import UsageError

LARGEST = 8192
"""Pixels of a shorter side."""


@dataclass(frozen=True, kw_only=True)
class Views:
    """Crops of `size` pixels from an image whose shorter side is `shorter`, or whole images at `scales` (then no crops).

    Sizes in pixels. `average` and `pooling` are explained in `backends.base.Look`. Raises `UsageError` for what cannot be.
    """

    crops: int = 1
    size: int = 224
    shorter: int = 256
    scales: tuple[int, ...] = ()
    mirrored: bool = True
    """Of whole images. Ten crops have their mirror images among them, one crop has none."""
    average: str = "softmax"
    pooling: str = "windows"

    def __post_init__(self) -> None:
        if self.crops not in (1, 10):
            raise UsageError(
                f"{self.crops} crops: there are 1 (the center) and 10 (corners, center, and mirror images)"
            )
        if not self.scales and not self.size <= self.shorter:
            raise UsageError(
                f"crops of {self.size} pixels do not fit into a shorter side of {self.shorter}",
                "Choose a larger --shorter.",
            )
        if self.shorter > LARGEST:
            raise UsageError(f"a shorter side of {self.shorter} pixels", f"Choose a --shorter of at most {LARGEST}.")
        if any(not 32 <= scale <= LARGEST for scale in self.scales) or len(set(self.scales)) != len(self.scales):
            raise UsageError(
                f"scales are different shorter sides in pixels, from 32 to {LARGEST}",
                "As in the paper: 224,256,384,480,640.",
            )

    def of(self, image: Image.Image) -> list[npt.NDArray[np.uint8]]:
        """Uint8 [views, 3, H, W]: all crops in one array, or one array for each scale."""
        if self.scales:
            return [_pixels(resized(image, scale))[None] for scale in self.scales]
        pixels = _pixels(resized(image, self.shorter))
        return [center(pixels, self.size)[None] if self.crops == 1 else ten(pixels, self.size)]

    def title(self) -> str:
        """In words."""
        if self.scales:
            mirror = " and mirrored" if self.mirrored else ""
            where = "windows of training's size at every position" if self.pooling == "windows" else "the whole map"
            return f"whole images at {', '.join(map(str, self.scales))}{mirror}, {where}, {self.average} averaged"
        if self.crops == 1:
            return f"center crop of {self.size} from a shorter side of {self.shorter}"
        return f"10 crops of {self.size} from a shorter side of {self.shorter}, {self.average} averaged"


def center(pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """[3, H, W] -> [3, size, size]."""
    top, left = _middle(pixels.shape[1], size), _middle(pixels.shape[2], size)
    return pixels[:, top : top + size, left : left + size]


def center_view(image: Image.Image, shorter: int, size: int) -> npt.NDArray[np.uint8]:
    """The center crop of an RGB image whose shorter side is `shorter`, as it is tested: uint8 [size, size, 3] in 0..255.

    The mean image of a training set is the mean of these. `size` is at most `shorter`.
    """
    whole = resized(image, shorter)
    top, left = _middle(whole.height, size), _middle(whole.width, size)
    return np.asarray(whole.crop((left, top, left + size, top + size)), np.uint8)


def ten(pixels: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """[3, H, W] -> [10, 3, size, size]: four corners and the center, of the image and of its mirror image."""
    return np.stack([*_five(pixels, size), *_five(pixels[:, :, ::-1], size)])


def _middle(side: int, size: int) -> int:
    """Where a crop of `size` begins; half a pixel is rounded as torchvision does."""
    return round((side - size) / 2)


def _five(pixels: npt.NDArray[np.uint8], size: int) -> list[npt.NDArray[np.uint8]]:
    return [
        pixels[:, :size, :size],
        pixels[:, :size, -size:],
        pixels[:, -size:, :size],
        pixels[:, -size:, -size:],
        center(pixels, size),
    ]


def make_ready() -> None:
    """Load what resizes, before anything is timed: it takes seconds, and whoever has no photographs does without."""
    import torchvision.transforms.v2.functional  # noqa: F401


def resized(image: Image.Image, shorter: int) -> Image.Image:
    """The image with this shorter side, the other in proportion; bilinear, over all pixels that make one."""
    from torchvision.transforms.v2 import functional as v2

    made: Image.Image = v2.resize(image, [shorter], antialias=True)
    return made


def _pixels(image: Image.Image) -> npt.NDArray[np.uint8]:
    """Uint8 [3, H, W]."""
    return np.ascontiguousarray(np.asarray(image, np.uint8).transpose(2, 0, 1))
