"""Writes a folder of JPEGs as large as ImageNet's, for timing where the real ones are not: smooth colours and some noise.

python -m benchmarks.photographs FOLDER [--images 2048] [--classes 10]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image


def write(folder: Path, images: int, classes: int) -> None:
    """`folder/train` and, a tenth of it, `folder/val`: 500x375 pixels, about 80 kB each."""
    random = np.random.default_rng(0)
    for split, number in (("train", images), ("val", max(classes, images // 10))):
        for index in range(number):
            label = index % classes
            place = folder / split / f"n{label:04}"
            place.mkdir(parents=True, exist_ok=True)
            coarse = random.integers(0, 256, (6 + label % 7, 8, 3), np.uint8)
            smooth = np.asarray(Image.fromarray(coarse).resize((500, 375), Image.Resampling.BICUBIC), np.int16)
            grain = random.integers(-24, 25, smooth.shape, np.int16)
            Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(place / f"{index:06}.JPEG", quality=90)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--images", type=int, default=2048)
    parser.add_argument("--classes", type=int, default=10)
    given = parser.parse_args()
    write(given.folder, given.images, given.classes)
