"""Small folders of photographs, and files that they are packed into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from rescli.engine.pack import Packing, PackMade, pack


def photograph(path: Path, width: int, height: int, mode: str = "RGB", **how: Any) -> Path:
    """A smooth image of its own, in the format of its name unless `how` says another."""
    coarse = np.random.default_rng(width * 1000 + height).integers(0, 256, (9, 9, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(coarse).resize((width, height)).convert(mode).save(path, **how)
    return path


def folder(root: Path) -> Path:
    """Three classes, seven training images of moderate sizes (one grey) and four test images, one of them a PNG."""
    for number in range(7):
        mode = "L" if number == 3 else "RGB"
        photograph(root / "train" / f"n{number % 3}" / f"{number}.JPEG", 300 + 11 * number, 280, mode)
    for number in range(3):
        photograph(root / "val" / f"n{number}" / f"{number}.JPEG", 500 + number, 600)
    photograph(root / "val" / "n2" / "ä.png", 260, 250)
    return root


def packed(root: Path, out: Path, **options: Any) -> PackMade:
    """Pack a folder."""
    return pack(Packing(data=root, out=out, **options))


def flip(path: Path, place: int, *, bits: int = 1) -> None:
    """Change one byte of a file."""
    with path.open("r+b") as file:
        file.seek(place)
        byte = file.read(1)[0]
        file.seek(place)
        file.write(bytes([byte ^ bits]))
