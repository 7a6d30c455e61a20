"""What becomes of one photograph on its way into a file of packed images."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from rescli.data.decode import opened_stream, rgb
from rescli.data.listing import Photographs
from rescli.data.views import center_view, resized

SUBSAMPLING = "4:2:0"
"""Of colour in images that are encoded anew: one value for 2x2 pixels, as in most JPEGs of photographs."""
MEAN_SIZE, MEAN_SHORTER = 224, 256
"""Of the center crops whose pixels are summed: those that are tested (Sec. 3.4)."""

_JPEG = {"JPEG", "MPO"}  # a camera's MPO begins with an ordinary JPEG, which is all that anybody reads of it


@dataclass(frozen=True, eq=False)
class Prepared:
    """An image as it is packed. `crop` uint8 [224, 224, 3] is the center crop of what is read back, None if not asked for."""

    data: bytes
    crc32: int
    kept: bool
    crop: npt.NDArray[np.uint8] | None


def kept_whole(images: Photographs, row: int) -> Prepared:
    """The file as it is, decoded to see that it can be. Raises `DataError`."""
    data = images.read(row)
    _decoded(data, images, row)
    return Prepared(data, zlib.crc32(data), kept=True, crop=None)


def for_training(images: Photographs, row: int, *, shorter: int, quality: int) -> Prepared:
    """The file as it is where it is a grey or RGB JPEG with a shorter side of at most `shorter`, else encoded anew as one.

    What is larger is resized (bilinear over all pixels that make one) to that shorter side first. Raises `DataError`.
    """
    data = images.read(row)
    with opened_stream(BytesIO(data), _name(images, row)) as image:
        kept = image.format in _JPEG and image.mode in ("L", "RGB") and min(image.size) <= shorter
        pixels = rgb(image) if kept or image.mode != "L" else image.copy()
    if not kept:
        data = _encoded(pixels, shorter, quality)
        pixels = _decoded(data, images, row)
    return Prepared(data, zlib.crc32(data), kept, center_view(pixels, MEAN_SHORTER, MEAN_SIZE))


def _encoded(pixels: Image.Image, shorter: int, quality: int) -> bytes:
    if min(pixels.size) > shorter:
        pixels = resized(pixels, shorter)
    file = BytesIO()
    pixels.save(file, "JPEG", quality=quality, subsampling=SUBSAMPLING, comment=b"")
    return file.getvalue()


def _decoded(data: bytes, images: Photographs, row: int) -> Image.Image:
    with opened_stream(BytesIO(data), _name(images, row)) as image:
        return rgb(image)


def _name(images: Photographs, row: int) -> str:
    return f"{images.root}/{images.files[row]}"
