"""The first 4096 bytes of a run store: what the file is, in text that `head -c 4096 run.h5` shows.

    rescli run store 1
    {"bytes": ..., "hdf5_from_byte": 4096, "schema": 1, "sha256": "...", "summary": {...}}
    sha256 <digest of the two lines above>

The rest is zero bytes. HDF5 calls this the user block and leaves it to us; the HDF5 image follows. This module needs neither
numpy nor h5py.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rescli.errors import StoreError
from rescli.store.files import exists, open_store, previous_of, read_up_to
from rescli.store.problems import DamagedStore, ForeignFile, MissingStore, PackedImages

SCHEMA = 1
HEADER_BYTES = 4096
MAX_BYTES = 16 << 30  # a store of ResNet-1202 has 0.16 GB; nothing here comes near 16 GiB
MAGIC = b"rescli run store "
IMAGES_MAGIC = b"rescli images "
"""Of packed images (`store.pack`)."""
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_CHUNK = 8 << 20


@dataclass(frozen=True, kw_only=True)
class Header:
    """What a run store says about itself.

    `size` counts the bytes of the whole file, `digest` is the SHA-256 (hexadecimal) of the HDF5 image behind the header, and
    `summary` is what the writer wanted to be known at a glance.
    """

    schema: int
    size: int
    digest: str
    summary: Mapping[str, Any]

    @property
    def generation(self) -> str:
        """Which state this is, in words: "iteration 4000, saved 2026-01-31T12:00:00Z", or "weights of resnet20"."""
        if self.summary.get("kind") == "network":
            return f"weights of {self.summary.get('network')}"
        iteration, saved = self.summary.get("iteration"), self.summary.get("saved")
        parts = [f"iteration {iteration}" if iteration is not None else "", f"saved {saved}" if saved else ""]
        return ", ".join(part for part in parts if part) or "of an unknown iteration"


def pack_header(image: bytes, summary: Mapping[str, Any]) -> bytes:
    """The 4096 bytes that go in front of the HDF5 image. Raises `StoreError` when the summary does not fit."""
    stated = {
        "schema": SCHEMA,
        "bytes": HEADER_BYTES + len(image),
        "hdf5_from_byte": HEADER_BYTES,
        "sha256": hashlib.sha256(image).hexdigest(),
        "summary": dict(summary),
    }
    return pack_block(MAGIC, SCHEMA, stated)


def pack_block(magic: bytes, schema: int, stated: Mapping[str, Any]) -> bytes:
    """The 4096 bytes in front of a file of any kind. Raises `StoreError` when what is `stated` does not fit."""
    lines = b"%s%d\n%s\n" % (magic, schema, json.dumps(stated, sort_keys=True).encode())
    text = lines + b"sha256 %s\n" % hashlib.sha256(lines).hexdigest().encode()
    if len(text) > HEADER_BYTES:
        raise StoreError(
            f"the summary of the run takes {len(text)} bytes with its header; {HEADER_BYTES} are there",
            "Shorten the run's name or note.",
        )
    return text.ljust(HEADER_BYTES, b"\0")


def read_header(path: Path | str) -> Header:
    """The header of the store at `path`, checked against its own digest and the size of the file. Reads 4 KiB.

    Raises `MissingStore`, `ForeignFile`, `DamagedStore` or another `StoreError`, each naming the path.
    """
    path = Path(path)
    try:
        with open_store(path) as file:
            return parse_header(path, read_up_to(path, file, HEADER_BYTES + 8), file.size)
    except DamagedStore as error:
        raise with_offer(error, path) from None


def parse_header(path: Path, start: bytes, size: int) -> Header:
    """Check the first bytes of a file (header and HDF5 signature) of `size` bytes and return its header."""
    if not start:
        raise DamagedStore(f"{path}: the file is empty")
    block = start[:HEADER_BYTES]
    if not block.startswith(MAGIC):
        raise _without_magic(path, start)
    if len(block) < HEADER_BYTES:
        raise DamagedStore(f"{path}: truncated within its header, after {len(block)} bytes")
    header = _stated(path, block)
    if header.size > MAX_BYTES:
        raise DamagedStore(f"{path}: claims {header.size} bytes, which is too large to be true")
    if size < header.size:
        raise DamagedStore(f"{path}: truncated; {size} of {header.size} bytes are there")
    if size > header.size:
        raise DamagedStore(f"{path}: damaged; {size - header.size} bytes too many at its end")
    return header


def read_store(path: Path | str) -> tuple[Header, bytes]:
    """The header and all bytes of a store (header included), checked against the digest.

    The header is checked first, so that a file too large to be true is not read. Raises as `read_header` does, but without
    a hint for a `DamagedStore`.
    """
    path = Path(path)
    with open_store(path) as file:
        header = parse_header(path, read_up_to(path, file, HEADER_BYTES + 8), file.size)
        file.rewind()
        data = read_up_to(path, file, header.size)
    if hashlib.sha256(memoryview(data)[HEADER_BYTES:]).hexdigest() != header.digest:
        raise DamagedStore(f"{path}: damaged; its bytes do not match their digest")
    return header, data


def check_digest(path: Path | str) -> Header:
    """Read the whole file in pieces and compare the digest of its HDF5 image. Raises as `read_header` does."""
    path = Path(path)
    with open_store(path) as file:
        start = read_up_to(path, file, HEADER_BYTES + 8)
        header = parse_header(path, start, file.size)
        found = hashlib.sha256(start[HEADER_BYTES:])
        while piece := read_up_to(path, file, _CHUNK):
            found.update(piece)
    if found.hexdigest() != header.digest:
        raise DamagedStore(f"{path}: damaged; its bytes do not match their digest")
    return header


def with_offer(error: StoreError, path: Path) -> StoreError:
    """The same error with a hint that offers the previous generation, where that is intact."""
    try:
        header = check_digest(previous_of(path))
    except MissingStore:
        hint = "There is no previous generation beside it."
    except StoreError as previous:
        hint = f"Its previous generation is no help either ({previous.message})."
    else:
        hint = (
            f"`rescli runs restore {shlex.quote(str(path))}` puts back the previous generation ({header.generation})."
        )
    return type(error)(error.message, hint)


def lost(path: Path, block: bytes) -> bool:
    """Whether this first block is zero, as a power cut may leave it; that the file is ours is told by its companion alone."""
    return bool(block) and not block.strip(b"\0") and exists(previous_of(path))


def _without_magic(path: Path, start: bytes) -> StoreError:
    """What to call a file that does not begin as a run store does."""
    if start.startswith(IMAGES_MAGIC):
        return PackedImages(f"{path}: holds packed images, not a run", f"Commands for images take it: --data {path}.")
    if start[HEADER_BYTES:] == _HDF5_SIGNATURE and b"\nsha256 " in start[:HEADER_BYTES]:
        return DamagedStore(f"{path}: damaged in its header")  # all is there but the first line
    if lost(path, start[:HEADER_BYTES]):
        return DamagedStore(f"{path}: damaged; its first bytes are all zero")
    if any(start[at:].startswith(_HDF5_SIGNATURE) for at in (0, 512, 1024, 2048, 4096)):
        return ForeignFile(
            f"{path}: an HDF5 file of another program, not a run store", "Give the path of a rescli run."
        )
    return ForeignFile(f"{path}: not a run store, nor an HDF5 file at all", "Give the path of a rescli run.")


def _stated(path: Path, block: bytes) -> Header:
    """The contents of a header block whose first line is ours, checked against the header's own digest."""
    stated = unpack_block(path, block, MAGIC, SCHEMA)
    try:
        header = Header(
            schema=stated["schema"], size=stated["bytes"], digest=stated["sha256"], summary=stated["summary"]
        )
        if not (type(header.size) is int and isinstance(header.digest, str) and isinstance(header.summary, dict)):
            raise TypeError
    except (KeyError, TypeError):
        raise DamagedStore(f"{path}: its header makes no sense") from None
    return header


def unpack_block(path: Path, block: bytes, magic: bytes, schema: int) -> dict[str, Any]:
    """What a block that begins with `magic` states, checked against its own digest.

    Raises `DamagedStore`, and `ForeignFile` where its schema is not `schema`.
    """
    first, second, third, padding = (*block.split(b"\n", 3), b"", b"", b"")[:4]
    digest = hashlib.sha256(first + b"\n" + second + b"\n").hexdigest().encode()
    # Every later schema keeps these three lines, so that "damaged" and "newer" can be told apart.
    if third != b"sha256 " + digest or padding.strip(b"\0"):
        raise DamagedStore(f"{path}: damaged in its header")
    found = first.removeprefix(magic).decode()
    if found != str(schema):
        raise ForeignFile(
            f"{path}: written by a newer rescli (schema {found}; this one reads {schema})", "Upgrade rescli."
        )
    try:
        stated = json.loads(second)
        if not isinstance(stated, dict):
            raise TypeError
    except (ValueError, TypeError, RecursionError):
        raise DamagedStore(f"{path}: its header makes no sense") from None
    return stated
