"""The index of packed images as HDF5, built in memory: everything in front of the images' bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np
from h5py import h5d, h5g, h5s

import rescli
from rescli.errors import StoreError
from rescli.store.encode import Builder, ask_for_memory
from rescli.store.front import Front, create_on, open_front
from rescli.store.header import HEADER_BYTES, IMAGES_MAGIC, pack_block
from rescli.store.pack import SCHEMA, Pack

BLOCK = 4096
"""What the places of images are multiples of, in bytes."""
_STRUCTURE = 64 << 10  # bytes that HDF5 needs for its own, at most, of two splits
_EACH = 3 * 8  # bytes an image takes beside its name: label, offset, checksum, with some to spare


def room_for(names: Iterable[tuple[int, int]], mean_bytes: int) -> int:
    """Bytes that the front takes at most, header included: where the first image goes, before anything is known of it.

    `names` says how many names there are of what length in bytes, of each split and of the classes.
    """
    arrays = sum(number * (max(1, length) + _EACH) + BLOCK for number, length in names)
    return _multiple(HEADER_BYTES + _STRUCTURE + arrays + mean_bytes)


def _multiple(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def build_front(pack: Pack, room: int, size: int) -> bytearray:
    """The first `room` bytes of the file, which is to have `size`: header and index, with the images' places in it.

    The splits lie in their order, the first at `room`, each at a multiple of `BLOCK`. Raises `StoreError` when memory runs out.
    """
    try:
        ask_for_memory(room)
        front = Front(bytearray(room))
        _structure(front, pack)
        assert front.end <= room, (front.end, room)
        for number, (name, split) in enumerate(pack.splits.items()):
            place = _give_place(front, f"{name}/images", BLOCK if number else room)
            assert place == split.start, (name, place, split.start)  # HDF5's own allocator agrees with what was written
        assert front.end == size, (front.end, size)
    except (MemoryError, OSError, RuntimeError) as error:  # what h5py makes of a failed allocation
        reason = "not enough memory" if isinstance(error, MemoryError) else str(error)
        raise StoreError(f"the index of the images could not be built: {reason}") from error
    with memoryview(front.data) as view:
        stated = {
            "schema": SCHEMA,
            "bytes": size,
            "hdf5_from_byte": HEADER_BYTES,
            "images_from_byte": room,
            "sha256": hashlib.sha256(view[HEADER_BYTES:]).hexdigest(),
            "summary": {name: len(split.labels) for name, split in pack.splits.items()},
        }
    front.data[:HEADER_BYTES] = pack_block(IMAGES_MAGIC, SCHEMA, stated)
    return front.data


def _structure(front: Front, pack: Pack) -> None:
    """Everything but the images' bytes, whose datasets are made without a place."""
    file = create_on(front)
    try:
        builder, root = Builder(), h5g.open(file, b"/")
        builder.attribute(root, "kind", "images")
        builder.attribute(root, "schema", SCHEMA)
        builder.attribute(root, "created_by", f"rescli {rescli.__version__}")
        for key, value in pack.about.items():
            builder.attribute(root, key, value)
        builder.array(root, "classes", pack.classes)
        for name, split in pack.splits.items():
            group = builder.group(root, name)
            named: dict[str, Any] = {"files": split.files, "labels": split.labels, "offsets": split.offsets}
            builder.arrays(group, {**named, "crc32": split.crc32})
            builder.bytes_to_come(group, "images", int(split.offsets[-1]))
            owners = {"": group}
            if split.mean_sum is not None:
                owners["mean_sum"] = builder.array(group, "mean_sum", split.mean_sum)
            for key, value in split.about.items():
                owner, _, attribute = key.rpartition("@")
                builder.attribute(owners[owner], attribute, value)
    finally:
        file.close()


def _give_place(front: Front, name: str, alignment: int) -> int:
    """Let HDF5 find a place for a dataset at the end of the file, at a multiple of `alignment`; returns which.

    It does so when the first byte is written. That byte goes nowhere: the images are in the file already.
    """
    file = open_front(front, alignment=alignment)
    try:
        dataset = h5d.open(file, name.encode())
        first = dataset.get_space()
        first.select_hyperslab((0,), (1,))
        dataset.write(h5s.create_simple((1,)), first, np.zeros(1, np.uint8))
        place: int = dataset.get_offset()
        return place
    finally:
        file.close()
