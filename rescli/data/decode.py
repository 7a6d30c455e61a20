"""Image files to RGB pixels, many at a time: decoding and resizing let go of Python's lock, so threads do it in parallel."""

from __future__ import annotations

import os
import stat
import warnings
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
import PIL
from PIL import Image, ImageFile, UnidentifiedImageError, features

from rescli.errors import DataError

A = TypeVar("A")
B = TypeVar("B")


STRIP = 256
"""An image so many times as long as it is wide is no photograph: resized by its shorter side it would be gigabytes."""


class DamagedImage(DataError):
    """The bytes are no image, or not all of one: what `--skip-damaged` leaves out. Not a disk or memory that fails."""


# Damaged EXIF, which nobody reads here. Once for the process: to change the filters for a while is not for threads.
warnings.filterwarnings("ignore", module=r"PIL\..*")
# A truncated file is an error, even where another library of the same process has asked for leniency.
ImageFile.LOAD_TRUNCATED_IMAGES = False


def decode(image: AbstractContextManager[Image.Image]) -> Image.Image:
    """The image as RGB, whatever it was (grey, CMYK, a palette). Raises `DamagedImage`, and `DataError` as `opened` does.

    Orientation in a JPEG's EXIF is ignored, as all trainers of these nets do: the data set's own labels and crops know
    nothing of it. (A TIFF is turned by Pillow itself when it is loaded.)
    """
    with image as found:
        return rgb(found)


def rgb(image: Image.Image) -> Image.Image:
    """As RGB. Grey of 16 bits keeps its upper 8, which Pillow would cut off at 255. Raises `ValueError` for floating point."""
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers, whose white nobody knows")
    if image.mode == "I" or image.mode.startswith("I;16"):
        grey = np.asarray(image).clip(0, 0xFFFF) >> 8
        return Image.fromarray(grey.astype(np.uint8)).convert("RGB")
    return image.convert("RGB")


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """The file, open and not yet decoded; what goes wrong with it in here is a `DataError` that names it.

    That is a `DamagedImage` where the file could be read.
    """
    with _open(path) as file, opened_stream(file, path) as image:
        yield image


def read(path: Path) -> bytes:
    """The file's bytes. Raises `DataError`, which names it."""
    try:
        with _open(path) as file:
            return file.read()
    except OSError as error:
        raise _unreadable(path, error) from error


def _open(path: Path) -> IO[bytes]:
    try:
        file = open(path, "rb", opener=_at_once)  # noqa: SIM115 - whoever asked for it closes it
    except FileNotFoundError as error:
        raise DataError(f"{path}: is not there", "Is the folder still the one that was listed?") from error
    except OSError as error:
        raise _unreadable(path, error) from error
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise DataError(f"{path}: is no ordinary file", "Take it out of the folder of images.")


def _at_once(path: str, flags: int) -> int:
    """Open without waiting for whoever might write into a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


@contextmanager
def opened_stream(file: IO[bytes], name: Path | str) -> Iterator[Image.Image]:
    """An image from an open file or from memory, not yet decoded; what goes wrong with it in here is a `DataError`."""
    try:
        with Image.open(file) as image:
            if max(image.size) > STRIP * min(image.size):
                raise ValueError(f"{image.width} by {image.height} pixels are a strip, no photograph")
            yield image
    except MemoryError:
        raise
    except Exception as error:  # the decoders raise what they like: OSError, SyntaxError, struct.error, ...
        if isinstance(error, OSError) and error.errno is not None:  # the system's own, which the decoders' have not
            raise _unreadable(name, error) from error
        raise _undecodable(name, error) from error


def _unreadable(name: Path | str, error: OSError) -> DataError:
    return DataError(
        f"{name}: cannot be read: {error.strerror}",
        "It may be whole all the same: --skip-damaged does not leave it out.",
    )


def _undecodable(name: Path | str, error: Exception) -> DamagedImage:
    why = "it is no image" if isinstance(error, UnidentifiedImageError) else str(error)  # whose text names an object
    return DamagedImage(f"{name}: cannot be decoded: {why}", "Fetch it anew, or leave it out with --skip-damaged.")


def is_grey(image: Image.Image) -> bool:
    """Whether red, green and blue are the same everywhere."""
    red, green, blue = image.split()
    same = red.tobytes()
    return same == green.tobytes() == blue.tobytes()


def decoder() -> str:
    """The library that decodes, and its version: another one may give other pixels."""
    return f"Pillow {PIL.__version__}, libjpeg {features.version_codec('jpg')}"


def threads() -> int:
    """As many as there are processors for this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_parallel(
    function: Callable[[A], B], items: Iterable[A], *, workers: int, ahead: int | None = None
) -> Generator[B, None, None]:
    """Results in the order of `items`; threads are `ahead` of whoever takes them (8 a thread). An error is raised in turn."""
    with ThreadPoolExecutor(max_workers=workers) as pool:
        waiting: deque[Future[B]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > (ahead or 8 * workers):
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
