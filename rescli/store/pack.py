"""Photographs in one HDF5 file: an index in front, then the images' bytes, as many as there are.

HDF5 sees the index alone. It is built in memory, where the images' datasets get their places at the end of the file, and read
from memory, its digest checked first; the images' bytes are written and read by plain system calls. docs/imagenet.md has the
layout.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.errors import DataError, StoreError
from rescli.store.decode import decode_front
from rescli.store.files import OpenStore, open_store, read_up_to
from rescli.store.header import HEADER_BYTES, IMAGES_MAGIC, MAGIC, unpack_block
from rescli.store.problems import DamagedStore, ForeignFile

SCHEMA = 1
SPLITS = ("train", "val")
_CHUNK = 8 << 20
_ANEW = "Copy it anew, or pack the images again: `rescli data pack --data DIR --out FILE`."
_OURS = "`rescli data pack` makes such files; a folder of images will do as well."


@dataclass(frozen=True, kw_only=True, eq=False)
class PackedSplit:
    """What one split says of its N images. Image i is bytes `start` + `offsets[i]` to `start` + `offsets[i + 1]` of the file.

    `files` are their names, as bytes of one length [N]; `labels` int64 [N], -1 for unknown; `offsets` int64 [N + 1]; `crc32`
    uint32 [N], of the bytes of each. `mean_sum` int64 [size, size, 3] is the sum of the pixels (0..255) of all center crops,
    None where nobody took it. `about` are attributes of the group.
    """

    start: int
    files: npt.NDArray[np.bytes_]
    labels: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    crc32: npt.NDArray[np.uint32]
    mean_sum: npt.NDArray[np.int64] | None
    about: Mapping[str, int | str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Pack:
    """What is in such a file, without the images. `classes` are names, as bytes of one length; `about` root attributes."""

    splits: Mapping[str, PackedSplit]
    classes: npt.NDArray[np.bytes_]
    about: Mapping[str, int | str]


def open_pack(path: Path) -> tuple[Pack, OpenStore]:
    """What the file at `path` holds, every byte of its index checked first, and the file itself, for the images.

    Raises `DataError` for a file of another kind or of a newer schema, one that is truncated, and one with a damaged index.
    """
    with _as_data_error():
        file = open_store(path)
        try:
            return _read(path, file), file
        except BaseException:
            file.__exit__(None, None, None)
            raise


@contextmanager
def _as_data_error() -> Iterator[None]:
    try:
        yield
    except DamagedStore as error:
        raise DataError(error.message, _ANEW) from error
    except StoreError as error:
        raise DataError(error.message, error.hint) from error


def _read(path: Path, file: OpenStore) -> Pack:
    block = read_up_to(path, file, HEADER_BYTES)
    if not block.startswith(IMAGES_MAGIC):
        raise _without_magic(path, block)
    if len(block) < HEADER_BYTES:
        raise DamagedStore(f"{path}: truncated within its header, after {len(block)} bytes")
    stated = unpack_block(path, block, IMAGES_MAGIC, SCHEMA)
    size, begin = stated.get("bytes"), stated.get("images_from_byte")
    if not (isinstance(size, int) and isinstance(begin, int) and HEADER_BYTES < begin < size):
        raise DamagedStore(f"{path}: its header makes no sense")
    if file.size != size:
        what = "truncated" if file.size < size else "damaged, with bytes too many at its end"
        raise DamagedStore(f"{path}: {what}; it has {file.size:,} bytes, and had {size:,}")
    front = bytearray(block)
    while len(front) < begin and (piece := read_up_to(path, file, min(begin - len(front), _CHUNK))):
        front += piece
    with memoryview(front) as view:
        digest = hashlib.sha256(view[HEADER_BYTES:]).hexdigest()
    if digest != stated.get("sha256"):
        raise DamagedStore(f"{path}: its index is damaged; the bytes do not match their digest")
    elsewhere = tuple(f"/{name}/images" for name in SPLITS)
    return _pack(path, decode_front(path, front, size, elsewhere=elsewhere))


def _without_magic(path: Path, block: bytes) -> StoreError:
    """What to call a file that does not begin as packed images do."""
    if block.startswith(MAGIC):
        return ForeignFile(f"{path}: one of rescli's files, but not one of packed images", _OURS)
    if b"\nsha256 " in block and b'"images_from_byte"' in block:
        return DamagedStore(f"{path}: damaged in its header")  # all is there but the first line
    return ForeignFile(f"{path}: neither a folder nor a file of packed images", _OURS)


def _pack(path: Path, tree: Mapping[str, Any]) -> Pack:
    """The contents, behind a valid digest too no more believed than has been checked."""
    try:
        if tree["@kind"] != "images":
            raise ValueError("it is of another kind")
        pack = Pack(
            splits={name: _split(tree[name]) for name in SPLITS if name in tree},
            classes=_of_kind(tree["classes"], "S"),
            about=_attributes(tree),
        )
        if not pack.splits:
            raise ValueError("there are no images")
        if any(len(pack.classes) and split.labels.max() >= len(pack.classes) for split in pack.splits.values()):
            raise ValueError("some labels are of no class")
        return pack
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise DamagedStore(f"{path}: its contents are not those of packed images: {error}") from error


def _split(group: Mapping[str, Any]) -> PackedSplit:
    start, size = group["images"]
    split = PackedSplit(
        start=start,
        files=_of_kind(group["files"], "S"),
        labels=_of_kind(group["labels"], "i").astype(np.int64, copy=False),
        offsets=_of_kind(group["offsets"], "i").astype(np.int64, copy=False),
        crc32=_of_kind(group["crc32"], "u").astype(np.uint32, copy=False),
        mean_sum=group.get("mean_sum"),
        about=_attributes(group) | {key: value for key, value in group.items() if key.startswith("mean_sum@")},
    )
    if not 0 < len(split.files) == len(split.labels) == len(split.crc32) == len(split.offsets) - 1:
        raise ValueError("names, labels and checksums are of different numbers of images")
    if split.offsets[0] != 0 or split.offsets[-1] != size or (np.diff(split.offsets) <= 0).any():
        raise ValueError("the images do not lie one after another")
    if split.labels.min() < -1:
        raise ValueError("some labels are of no class")
    if split.mean_sum is not None and (split.mean_sum.ndim != 3 or split.mean_sum.dtype != np.int64):
        raise TypeError("the sum of the pixels is of another type")
    return split


def _of_kind(array: Any, kind: str) -> npt.NDArray[Any]:
    if not isinstance(array, np.ndarray) or array.ndim != 1 or array.dtype.kind != kind:
        raise TypeError("an array is of another type")
    return array


def _attributes(tree: Mapping[str, Any]) -> dict[str, int | str]:
    return {name[1:]: value for name, value in tree.items() if name.startswith("@")}
