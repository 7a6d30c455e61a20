"""The file of packed images: plain HDF5 to others, checked before HDF5 sees it by us, whole or not there."""

from __future__ import annotations

import dataclasses
import hashlib
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rescli.data.listing import list_images
from rescli.errors import DataError, StoreError, UsageError
from rescli.store import pack_file as module
from rescli.store import replace as replacing
from rescli.store.dump import read_arrays
from rescli.store.header import HEADER_BYTES, read_header
from rescli.store.pack import Pack, PackedSplit, open_pack
from rescli.store.pack_file import new_pack
from rescli.store.pack_index import BLOCK, build_front, room_for
from rescli.store.problems import ForeignFile
from rescli.store.writer import write_run
from tests.data.packs import flip, folder, packed
from tests.store.samples import sample


def split(sizes: list[int], **changes: Any) -> PackedSplit:
    """A split of images of so many bytes."""
    n = len(sizes)
    made = PackedSplit(
        start=0,
        files=np.array([b"n0/%d" % number for number in range(n)]),
        labels=np.arange(n) % 2,
        offsets=np.cumsum([0, *sizes]),
        crc32=np.zeros(n, np.uint32),
        mean_sum=None,
        about={"kept": n},
    )
    return dataclasses.replace(made, **changes)


def front(splits: dict[str, PackedSplit], **changes: Any) -> tuple[bytearray, int]:
    """The front of a file of these splits, one behind the other, and the file's size."""
    classes = np.array([b"n0", b"n1"])
    room = size = room_for([(len(one.files), 20) for one in splits.values()], 0)
    placed = {}
    for name, one in splits.items():
        start = -(-size // BLOCK) * BLOCK
        placed[name] = dataclasses.replace(one, start=start)
        size = start + int(one.offsets[-1])
    return build_front(Pack(**{"splits": placed, "classes": classes, "about": {}, **changes}), room, size), size


def read(path: Path) -> Pack:
    """What a file says."""
    pack, file = open_pack(path)
    with file:
        return pack


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder, and the file it is packed into."""
    root = tmp_path_factory.mktemp("pack")
    packed(folder(root / "images"), root / "p.h5")
    return root / "images", root / "p.h5"


def test_others_read_it_with_h5py_alone(made: tuple[Path, Path]) -> None:
    with h5py.File(made[1]) as file:
        assert file.attrs["kind"] == b"images"
        assert (file.attrs["schema"], file.attrs["shorter"], file.attrs["quality"]) == (1, 480, 95)
        assert (file.attrs["subsampling"], file.attrs["created_by"][:7]) == (b"4:2:0", b"rescli ")
        classes = [name.decode() for name in file["classes"]]
        for name in ("train", "val"):
            group = file[name]
            listing = list_images(made[0], name)
            assert [file.decode() for file in group["files"]] == list(listing.files)
            assert [classes[label] for label in group["labels"]] == [file.split("/")[0] for file in listing.files]
            assert (group["labels"].dtype, group["offsets"].dtype, group["crc32"].dtype) == ("<i8", "<i8", "<u4")
            for row, path in enumerate(listing.files):
                data = group["images"][group["offsets"][row] : group["offsets"][row + 1]].tobytes()
                assert data == (made[0] / name / path).read_bytes()
                assert zlib.crc32(data) == group["crc32"][row]
            assert (group.attrs["kept"], group.attrs["encoded"], group.attrs["skipped"]) == (len(listing), 0, 0)
        total = file["train/mean_sum"]
        assert (total.shape, total.dtype, dict(total.attrs)) == (
            (224, 224, 3),
            "<i8",
            {"size": 224, "shorter": 256, "images": 7},
        )


def test_the_header_can_be_checked_in_a_shell(made: tuple[Path, Path]) -> None:
    data = made[1].read_bytes()
    first, second, third, rest = data[:HEADER_BYTES].split(b"\n", 3)
    assert first == b"rescli images 1"
    assert third.decode() == "sha256 " + hashlib.sha256(first + b"\n" + second + b"\n").hexdigest()
    assert not rest.strip(b"\0")
    pack = read(made[1])
    digest = hashlib.sha256(data[HEADER_BYTES : pack.splits["train"].start]).hexdigest()
    assert f'"sha256": "{digest}"'.encode() in second
    assert f'"bytes": {len(data)}'.encode() in second


@settings(max_examples=60)
@given(st.lists(st.lists(st.integers(1, 5000), min_size=1, max_size=40), min_size=1, max_size=2))
def test_hdf5_gives_the_images_the_places_where_they_are(sizes: list[list[int]]) -> None:
    names = ("train", "val") if len(sizes) == 2 else ("val",)
    splits = {name: split(each) for name, each in zip(names, sizes, strict=True)}
    data, size = front(splits)
    whole = np.random.default_rng(0).integers(0, 256, size, np.uint8)
    whole[: len(data)] = np.frombuffer(data, np.uint8)
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_fapl_core(1 << 16, False)
    access.set_file_image(whole.tobytes())
    file = h5py.File(h5py.h5f.open(b"image", h5py.h5f.ACC_RDONLY, access))
    for name in names:
        images = file[f"{name}/images"]
        start = images.id.get_offset()
        assert start >= len(data)
        assert np.array_equal(images[:], whole[start : start + len(images)])
    file.close()


def test_sizes_beyond_32_bits(tmp_path: Path) -> None:
    """Nothing is written in between: the file has holes."""
    path = tmp_path / "p.h5"
    data, size = front({"train": split([3_000_000_000, 2_000_000_000]), "val": split([5])})
    path.write_bytes(data)
    with path.open("r+b") as file:
        file.truncate(size)
        file.seek(size - 5)
        file.write(b"image")
    with h5py.File(path) as found:
        assert found["train/images"].shape == (5_000_000_000,)
        assert found["val/images"][:].tobytes() == b"image"
    pack = read(path)
    assert pack.splits["val"].start == size - 5


def test_room_is_enough_for_long_names_and_many_images() -> None:
    names = np.array([b"n%0200d/%050d" % (number, number) for number in range(3000)])
    many = split([1] * 3000, files=names)
    classes = np.array([b"n%0200d" % number for number in range(1000)])
    room = room_for([(3000, names.itemsize), (1000, classes.itemsize)], 0)
    many = dataclasses.replace(many, start=room)
    assert len(build_front(Pack(splits={"val": many}, classes=classes, about={}), room, room + 3000)) == room


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), bit=st.integers(0, 7))
def test_any_flipped_bit_of_the_index_is_noticed(made: tuple[Path, Path], data: st.DataObject, bit: int) -> None:
    path, pack = made[1].with_name("flipped.h5"), read(made[1])
    path.write_bytes(made[1].read_bytes())
    flip(path, data.draw(st.integers(0, pack.splits["train"].start - 1)), bits=1 << bit)
    with pytest.raises(DataError, match=r"damaged|neither a folder|makes no sense|newer") as caught:
        open_pack(path)
    assert caught.value.hint


@settings(max_examples=60)
@given(length=st.floats(0, 1, exclude_max=True))
def test_any_truncation_is_noticed(made: tuple[Path, Path], length: float) -> None:
    path, whole = made[1].with_name("short.h5"), made[1].read_bytes()
    path.write_bytes(whole[: int(length * len(whole))])
    with pytest.raises(DataError, match=r"truncated|neither a folder"):
        open_pack(path)


def _newer(path: Path) -> None:
    lines = path.read_bytes()[:HEADER_BYTES].split(b"\n")[:2]
    text = b"rescli images 2\n" + lines[1] + b"\n"
    with path.open("r+b") as file:
        file.write(text + b"sha256 " + hashlib.sha256(text).hexdigest().encode())


def _run_store(path: Path) -> None:
    path.unlink()
    write_run(path, sample())


def _plain_hdf5(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["train/images"] = np.zeros(5, np.uint8)


@pytest.mark.parametrize(
    ("make", "message", "hint"),
    [
        (_newer, "newer rescli", "Upgrade"),
        (_plain_hdf5, "neither a folder nor a file of packed images", "data pack"),
        (lambda path: path.write_bytes(b""), "neither a folder", "data pack"),
        (_run_store, "not one of packed images", "data pack"),
        (lambda path: flip(path, 3), "damaged in its header", "Copy it anew"),
        (lambda path: path.write_bytes(path.read_bytes() + b"x"), "bytes too many", "Copy it anew"),
        (lambda path: path.write_bytes(path.read_bytes()[:100]), "truncated within its header", "Copy it anew"),
    ],
)
def test_each_kind_of_wrong_file_has_its_error(
    made: tuple[Path, Path], tmp_path: Path, make: Callable[[Path], object], message: str, hint: str
) -> None:
    path = tmp_path / "p.h5"
    path.write_bytes(made[1].read_bytes())
    make(path)
    with pytest.raises(DataError, match=message) as caught:
        list_images(path, "train")
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offsets": np.array([0, 5, 3])}, "one after another"),
        ({"offsets": np.array([1, 2, 3])}, "one after another"),
        ({"labels": np.array([0, 2])}, "of no class"),
        ({"labels": np.array([0, -2])}, "of no class"),
        ({"labels": np.zeros(3, np.int64)}, "different numbers"),
        ({"labels": np.zeros(2)}, "another type"),
        ({"crc32": np.zeros((2, 1), np.uint32)}, "another type"),
        ({"mean_sum": np.zeros(4)}, "another type"),
    ],
)
def test_nonsense_behind_a_valid_digest(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    data, size = front({"val": split([2, 1], **changes)})
    (tmp_path / "p.h5").write_bytes(bytes(data).ljust(size, b"x"))
    with pytest.raises(DataError, match=message):
        open_pack(tmp_path / "p.h5")


def test_commands_for_runs_and_weights_say_what_it_is(made: tuple[Path, Path]) -> None:
    with pytest.raises(ForeignFile, match="holds packed images") as caught:
        read_header(made[1])
    assert "--data" in caught.value.hint
    with pytest.raises(DataError, match="holds packed images, not a network"):
        read_arrays(made[1])


def test_one_that_is_at_work_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with pytest.raises(KeyboardInterrupt), new_pack(path, BLOCK):  # noqa: PT012
        (at_work,) = tmp_path.iterdir()
        with pytest.raises(StoreError, match=f"another process is packing into it .{at_work.name}"), new_pack(path, 1):
            pass
        assert list(tmp_path.iterdir()) == [at_work]
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())
    left = tmp_path / "p.h5.0123abcd.new"
    left.write_bytes(b"of a dead process")
    with new_pack(path, BLOCK) as file:
        assert not left.exists()
        file.finish(bytearray(BLOCK))
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_came_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    with pytest.raises(UsageError, match="is there already"), new_pack(path, BLOCK) as file:  # noqa: PT012
        path.write_bytes(b"mine")
        file.finish(bytearray(BLOCK))
    assert path.read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("step", ["open", "write", "fsync", "rename", "close"])
def test_whatever_the_disk_refuses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    images = folder(tmp_path / "images")

    class Refusing:
        def __getattr__(self, name: str) -> Any:
            if name == step:
                return self.refuse
            return getattr(__import__("os"), name)

        def refuse(self, *arguments: Any) -> Any:
            raise OSError(28, "No space left on device")

    for where in (module, replacing) if step == "open" else (module,):
        monkeypatch.setattr(where, "os", Refusing())
    with pytest.raises(StoreError, match=r"(could not be written|does not confirm it): No space left") as caught:
        packed(images, tmp_path / "p.h5")
    assert "Free some space" in caught.value.hint
    monkeypatch.undo()
    there = {entry.name for entry in tmp_path.iterdir()}
    if "does not confirm" in caught.value.message:
        assert (step, there) == ("close", {"images", "p.h5"})
    else:
        assert there == {"images"}


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file or directory") as caught, new_pack(tmp_path / "x" / "p.h5", 1):
        pass
    assert "folder must exist" in caught.value.hint
