"""ImageNet's development kit, ILSVRC2012_devkit_t12: how it counts classes, and those of the validation images."""

from __future__ import annotations

import re
import tarfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from rescli.errors import DataError, RescliError

META, TRUTH = "meta.mat", "ILSVRC2012_validation_ground_truth.txt"
"""The two files in its folder `data`."""

ARCHIVES = (".tar.gz", ".tgz", ".tar")
MOST = 64 << 20
"""Bytes of a file of the kit at the most; the real ones have less than one million."""

_IMAGE = re.compile(r"ILSVRC2012_val_(\d{8})")


@dataclass(frozen=True)
class Devkit:
    """Classes are named as their folders are, n01440764, and counted from 1 in an order of the kit's own."""

    path: Path
    numbers: dict[str, int]
    """Of each class that images are sorted into."""

    truth: tuple[int, ...]
    """The class of validation image 1, 2, ..."""

    @property
    def classes(self) -> tuple[str, ...]:
        """In alphabetical order, as every ImageNet net has them."""
        return tuple(sorted(self.numbers))

    def classes_of(self, files: Sequence[str]) -> list[str]:
        """Of validation images by their published names. Raises `DataError` for another name."""
        name = {number: one for one, number in self.numbers.items()}
        found = []
        for file in files:
            match = _IMAGE.fullmatch(Path(file).stem)
            number = int(match[1]) if match else 0
            if not 1 <= number <= len(self.truth):
                raise DataError(
                    f"{self.path}: says nothing of {file}: its {len(self.truth):,} validation images are called "
                    "ILSVRC2012_val_00000001.JPEG and so on",
                    "Is it the right folder of images?",
                )
            found.append(name[self.truth[number - 1]])
        return found


def is_devkit(path: Path) -> bool:
    """Whether `path` is meant for a kit: an archive, or a folder."""
    try:
        return path.name.endswith(ARCHIVES) or path.is_dir()
    except OSError:  # who reads it says what is wrong
        return False


def read_devkit(path: Path) -> Devkit:
    """The kit from its archive, or from the folder that this becomes.

    Raises `DataError` where it is none, and `RescliError` where the extra that reads it is not installed.
    """
    meta, text = (_archived if path.name.endswith(ARCHIVES) else _unpacked)(path)
    numbers = _numbers(path, meta)
    try:
        truth = tuple(int(line) for line in text.split())
    except ValueError:
        raise _no_devkit(path, f"{TRUTH} has something other than numbers") from None
    if strange := sorted(set(truth) - set(numbers.values())):
        raise _no_devkit(path, f"{TRUTH} has the class {strange[0]}, and {META} has not")
    return Devkit(path, numbers, truth)


def _unpacked(path: Path) -> tuple[bytes, bytes]:
    try:
        meta, truth = ((path / "data" / name).read_bytes() for name in (META, TRUTH))
    except OSError as error:
        raise _no_devkit(path, f"{error.filename}: {error.strerror}") from error
    return meta, truth


def _archived(path: Path) -> tuple[bytes, bytes]:
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = Path(member.name)
                if name.parent.name == "data" and name.name in (META, TRUTH) and member.size <= MOST:
                    file = archive.extractfile(member)
                    found[name.name] = file.read() if file is not None else b""
    except (OSError, EOFError, tarfile.TarError, zlib.error) as error:
        if reason := getattr(error, "strerror", None):
            raise DataError(f"{path}: cannot be read: {reason}", "Name another.") from error
        raise _no_devkit(path, str(error)) from error
    if missing := [name for name in (META, TRUTH) if name not in found]:
        raise _no_devkit(path, f"there is no data/{missing[0]} in it")
    return found[META], found[TRUTH]


def _numbers(path: Path, meta: bytes) -> dict[str, int]:
    try:
        from scipy.io import loadmat  # the file is MATLAB's
    except ImportError as error:
        raise RescliError(
            f"reading {META} needs a package that is not here: {error.name}", "pip install 'rescli[devkit]'"
        ) from error
    import numpy as np

    try:
        synsets = np.atleast_1d(loadmat(BytesIO(meta), squeeze_me=True)["synsets"])
        # Those above them in the tree of words hold no images.
        leaves = [one for one in synsets if int(one["num_children"]) == 0]
        numbers = {str(one["WNID"]): int(one["ILSVRC2012_ID"]) for one in leaves}
    except Exception as error:  # scipy raises whatever it stumbles over
        raise _no_devkit(path, f"{META}: {type(error).__name__}: {error}") from error
    if not numbers or len(set(numbers.values())) != len(leaves):
        raise _no_devkit(path, f"{META} does not number its classes")
    return numbers


def _no_devkit(path: Path, why: str) -> DataError:
    return DataError(
        f"{path}: is not ImageNet's development kit: {why}", "Name ILSVRC2012_devkit_t12.tar.gz, or its folder."
    )
