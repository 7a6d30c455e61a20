"""Files that are not what they should be: each has its own error, and none costs memory, time or a crash."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rescli.errors import StoreError
from rescli.store.encode import encode
from rescli.store.header import HEADER_BYTES, pack_header, parse_header, read_header
from rescli.store.problems import DamagedStore, ForeignFile, MissingStore
from rescli.store.reader import read_run, verify
from tests.store.samples import damage, sample, saved

STORE = encode(sample())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "run.h5"


def test_every_flipped_byte_of_the_header_is_noticed(path: Path) -> None:
    for at in range(HEADER_BYTES):
        damaged = bytearray(STORE[: HEADER_BYTES + 8])
        damaged[at] ^= 1 << at % 8
        with pytest.raises(StoreError):
            parse_header(path, bytes(damaged), len(STORE))


@settings(max_examples=200, deadline=None)
@given(at=st.integers(0, len(STORE) - 1), bit=st.integers(0, 7))
def test_any_flipped_bit_is_noticed(tmp_path_factory: pytest.TempPathFactory, at: int, bit: int) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.h5"
    damaged = bytearray(STORE)
    damaged[at] ^= 1 << bit
    path.write_bytes(damaged)
    with pytest.raises(DamagedStore):
        read_run(path)


@settings(max_examples=100, deadline=None)
@given(length=st.integers(0, len(STORE) - 1))
def test_any_truncation_is_noticed_by_the_header_alone(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    path = tmp_path_factory.getbasetemp() / "truncated.h5"
    path.write_bytes(STORE[:length])
    for read in (read_header, read_run):
        with pytest.raises(StoreError, match=r"truncated|empty|not a run store"):
            read(path)


def _hdf5(path: Path, user_block: int = 0) -> None:
    with h5py.File(path, "w", userblock_size=user_block) as file:
        file["x"] = 1


def _newer(path: Path) -> None:
    import hashlib

    lines = b"rescli run store 2\nsomething else altogether\n"
    text = lines + b"sha256 " + hashlib.sha256(lines).hexdigest().encode() + b"\n"
    path.write_bytes(text.ljust(HEADER_BYTES, b"\0") + b"\x89HDF\r\n\x1a\n")


def _sparse(path: Path) -> None:
    """17 GiB of nothing behind a header that says so."""

    class Huge(bytes):
        def __len__(self) -> int:
            return 17 << 30

    path.write_bytes(pack_header(Huge(), {}))
    os.truncate(path, (17 << 30) + HEADER_BYTES)


def _damaged(at: int) -> Callable[[Path], Any]:
    def make(path: Path) -> None:
        saved(path)
        damage(path, at)

    return make


CASES: dict[str, tuple[Callable[[Path], Any], type[StoreError], str]] = {
    "missing": (lambda path: None, MissingStore, "no such file"),
    "empty": (lambda path: path.touch(), DamagedStore, "empty"),
    "text": (lambda path: path.write_text("iteration,loss\n"), ForeignFile, "nor an HDF5 file"),
    "pickle": (lambda path: path.write_bytes(b"PK\x03\x04" + b"\0" * 9000), ForeignFile, "nor an HDF5 file"),
    "other HDF5": (_hdf5, ForeignFile, "another program"),
    "other HDF5 with a user block": (lambda path: _hdf5(path, 4096), ForeignFile, "another program"),
    "truncated": (lambda path: path.write_bytes(STORE[:-1]), DamagedStore, "truncated"),
    "truncated header": (lambda path: path.write_bytes(STORE[:1000]), DamagedStore, "truncated within its header"),
    "longer": (lambda path: path.write_bytes(STORE + b"x"), DamagedStore, "1 bytes too many"),
    "damaged": (_damaged(5000), DamagedStore, "do not match their digest"),
    "damaged header": (_damaged(40), DamagedStore, "damaged in its header"),
    "damaged first line": (_damaged(0), DamagedStore, "damaged in its header"),
    "damaged padding": (_damaged(4000), DamagedStore, "damaged in its header"),
    "damaged version": (_damaged(17), DamagedStore, "damaged in its header"),
    "newer": (_newer, ForeignFile, "written by a newer rescli"),
    "too large": (_sparse, DamagedStore, "too large to be true"),
    "folder": (lambda path: path.mkdir(), ForeignFile, "is a folder"),
    "pipe": (lambda path: os.mkfifo(path), ForeignFile, "not a regular file"),
    "loop": (lambda path: path.symlink_to(path), StoreError, "cannot be read"),
}


@pytest.mark.parametrize("case", CASES)
def test_each_kind_of_wrong_file_has_its_own_error(case: str, path: Path) -> None:
    make, kind, words = CASES[case]
    make(path)
    readers = (read_run, verify) if case == "damaged" else (read_header, read_run, verify)
    for read in readers:
        with pytest.raises(kind, match=words) as caught:
            read(path)
        assert caught.value.exit_code == 4
        assert str(path) in caught.value.message
        assert "\n" not in caught.value.message
        assert caught.value.hint


def test_no_permission(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved(path)

    def refuse(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("rescli.store.files.os.open", refuse)
    with pytest.raises(StoreError, match="not permitted"):
        read_header(path)


def test_the_hint_offers_the_previous_generation_only_if_it_is_intact(path: Path) -> None:
    saved(path, 2)
    damage(path)
    previous = path.with_name("run.h5.prev")
    with pytest.raises(DamagedStore) as caught:
        read_run(path)
    assert "no previous generation" in caught.value.hint
    saved(previous, 1)
    with pytest.raises(DamagedStore) as caught:
        read_run(path)
    assert caught.value.hint == (
        f"`rescli runs restore {path}` puts back the previous generation (iteration 1, saved 2026-01-31T12:00:00Z)."
    )
    damage(previous)
    with pytest.raises(DamagedStore) as caught:
        read_run(path)
    assert "no help either" in caught.value.hint


# From here on: files with a valid header and digest whose HDF5 image is crafted.


def crafted(path: Path, make: Callable[[h5py.File], Any]) -> None:
    """A store in every respect but for what `make` did to its contents."""
    with h5py.File(
        "x", "w", driver="core", backing_store=False, userblock_size=HEADER_BYTES, libver=("earliest", "v110")
    ) as file:
        image_of_sample(file)
        make(file)
        file.flush()
        image = file.id.get_file_image()
    path.write_bytes(pack_header(image, {}) + image)


def image_of_sample(file: h5py.File) -> None:
    """The least that a store must have, written with plain h5py."""
    file.attrs.create("status", b"running", dtype=h5py.string_dtype("utf-8", 7))
    for name in ("recipe", "environment", "progress", "sessions"):
        file.create_dataset(name, data=np.array(b"{}", h5py.string_dtype("utf-8", 2)))
    for name in ("metrics", "input", "checkpoint/model", "checkpoint/momentum", "analysis"):
        file.create_group(name)


def _late(file: h5py.File) -> None:
    """10^12 numbers (8 TB) of which none is stored."""
    creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    creation.set_alloc_time(h5py.h5d.ALLOC_TIME_LATE)
    space = h5py.h5s.create_simple((10**12,))
    h5py.h5d.create(file["analysis"].id, b"huge", h5py.h5t.IEEE_F64LE, space, creation)


def _aliases(file: h5py.File) -> None:
    """One megabyte under a thousand names."""
    file["analysis/a"] = np.ones(1 << 17)
    for number in range(1000):
        file[f"analysis/b{number}"] = file["analysis/a"]


def _deep(file: h5py.File) -> None:
    file["analysis/again"] = file["analysis"]


def _external(file: h5py.File) -> None:
    file.create_dataset("analysis/x", (8,), "u1", external=[("/etc/passwd", 0, 8)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout((4,), "f8")
    layout[:] = h5py.VirtualSource("other.h5", "x", (4,))
    file.create_virtual_dataset("analysis/x", layout)


def _put(name: str, value: Any, **options: Any) -> Callable[[h5py.File], Any]:
    return lambda file: file.create_dataset(name, data=value, **options)


def _link(link: Any) -> Callable[[h5py.File], Any]:
    return lambda file: file.__setitem__("analysis/x", link)


def _without(name: str) -> Callable[[h5py.File], Any]:
    return lambda file: file.__delitem__(name)


CRAFTED: dict[str, tuple[Callable[[h5py.File], Any], str]] = {
    "10^12 elements": (_late, "claims 8000000000000 bytes"),
    "aliases": (_aliases, "shares its bytes"),
    "a group within itself": (_deep, "nested too deeply"),
    "external storage": (_external, "not stored in one piece"),
    "virtual": (_virtual, "not stored in one piece"),
    "chunked": (_put("analysis/x", np.ones(9), chunks=(3,)), "not stored in one piece"),
    "compressed": (_put("analysis/x", np.ones(9), compression="gzip"), "not stored in one piece"),
    "soft link": (_link(h5py.SoftLink("/recipe")), "a link to somewhere else"),
    "external link": (_link(h5py.ExternalLink("/etc/passwd", "/")), "a link to somewhere else"),
    "variable-length text": (_put("analysis/x", "text", dtype=h5py.string_dtype()), "a type that"),
    "variable-length array": (
        lambda file: file.create_dataset("analysis/x", (2,), dtype=h5py.vlen_dtype(np.float64)),
        "a type that",
    ),
    "compound": (_put("analysis/x", np.zeros(2, [("a", "f8")])), "a type that"),
    "reference": (lambda file: file.create_dataset("analysis/x", data=file.ref, dtype=h5py.ref_dtype), "a type that"),
    "opaque": (_put("analysis/x", np.zeros(2, "V8")), "a type that"),
    "empty space": (_put("analysis/x", h5py.Empty("f8")), "has no shape"),
    "named type": (lambda file: file.__setitem__("analysis/x", np.dtype("f8")), "neither a group nor a dataset"),
    "attribute of variable length": (lambda file: file.attrs.__setitem__("note", "text"), "a type that"),
    "attribute of many values": (lambda file: file.attrs.__setitem__("note", np.ones(9)), "not a single value"),
    "no recipe": (_without("recipe"), "recipe"),
    "no metrics": (_without("metrics"), "metrics"),
    "no status": (lambda file: file.attrs.__delitem__("status"), "status"),
    "recipe is a number": (lambda file: (_without("recipe")(file), file.__setitem__("recipe", 1)), "not text"),
    "a group as a tensor": (lambda file: file.create_group("checkpoint/model/x"), "a group where an array should be"),
}


@pytest.mark.parametrize("case", CRAFTED)
def test_crafted_contents_behind_a_valid_digest(case: str, path: Path) -> None:
    make, words = CRAFTED[case]
    crafted(path, make)
    read_header(path)
    for read in (read_run, verify):
        with pytest.raises(DamagedStore, match=words) as caught:
            read(path)
        assert "\n" not in caught.value.message


def test_the_uncrafted_store_is_read(path: Path) -> None:
    crafted(path, lambda file: None)
    assert read_run(path).status == "running"


def test_an_image_that_is_no_hdf5(path: Path) -> None:
    path.write_bytes(pack_header(b"nothing", {}) + b"nothing")
    with pytest.raises(DamagedStore, match="cannot be read"):
        read_run(path)
