"""ImageNet's development kit: how it counts classes, beside torchvision's reading of it."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest
from torchvision.datasets import imagenet

from rescli.data.devkit import TRUTH, is_devkit, read_devkit
from rescli.data.listing import list_images
from rescli.errors import DataError, RescliError, UsageError
from tests.data.devkits import NAME, devkit

NUMBERS = {"n02119789": 1, "n02100735": 2, "n01440764": 3}
"""The first two as in the real kit."""

LABELS = [3, 1, 1, 2]


def images(folder: Path, count: int = 4) -> Path:
    folder.mkdir(parents=True)
    for number in range(1, count + 1):
        (folder / f"ILSVRC2012_val_{number:08}.JPEG").write_bytes(b"")
    return folder


def test_the_classes_of_validation_images_are_torchvisions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = devkit(tmp_path, NUMBERS, LABELS)
    checksum = hashlib.md5(archive.read_bytes()).hexdigest()
    monkeypatch.setitem(imagenet.ARCHIVE_META, "devkit", (archive.name, checksum))
    imagenet.parse_devkit_archive(tmp_path)
    _, theirs = imagenet.load_meta_file(tmp_path)

    val = images(tmp_path / "val")
    for kit in (archive, tmp_path / NAME):
        assert is_devkit(kit)
        ours = list_images(val, "val", truth=kit)
        assert ours.classes == ("n01440764", "n02100735", "n02119789"), "in alphabetical order, as every net has them"
        assert [ours.classes[label] for label in ours.labels] == theirs
    assert read_devkit(archive).numbers == NUMBERS


def test_a_part_of_the_images_keeps_its_classes(tmp_path: Path) -> None:
    archive, val = devkit(tmp_path, NUMBERS, LABELS), images(tmp_path / "val")
    (val / "ILSVRC2012_val_00000001.JPEG").unlink()
    assert list_images(val, "val", truth=archive).labels.tolist() == [2, 2, 1]
    known = ("n02119789", "n02100735")
    assert list_images(val, "val", truth=archive, classes=known).labels.tolist() == [0, 0, 1]
    with pytest.raises(UsageError, match="n02100735 is not one of the 1"):
        list_images(val, "val", truth=archive, classes=known[:1])


@pytest.mark.parametrize("name", ["ILSVRC2012_val_00000005.JPEG", "ILSVRC2012_val_00000000.JPEG", "cat.JPEG"])
def test_an_image_of_another_name_has_no_class(name: str, tmp_path: Path) -> None:
    archive, val = devkit(tmp_path, NUMBERS, LABELS), images(tmp_path / "val")
    (val / name).write_bytes(b"")
    with pytest.raises(DataError, match=f"says nothing of {name}"):
        list_images(val, "val", truth=archive)


def test_what_is_no_kit_is_refused(tmp_path: Path) -> None:
    archive = devkit(tmp_path, NUMBERS, LABELS)
    whole = archive.read_bytes()
    for name, content in {
        "cut.tar.gz": whole[: len(whole) // 2],
        "changed.tar.gz": whole[:100] + bytes(50) + whole[150:],
        "other.tar": b"not an archive",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=f"{name}: is not ImageNet's development kit"):
            read_devkit(tmp_path / name)
    with pytest.raises(DataError, match=r"missing\.tar\.gz: cannot be read: No such file"):
        read_devkit(tmp_path / "missing.tar.gz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"meta\.mat: No such file"):
        read_devkit(tmp_path / "empty")

    truth = tmp_path / NAME / "data" / TRUTH
    for text, why in (("1\n4\n", f"{TRUTH} has the class 4"), ("1\nn02119789\n", "something other than numbers")):
        truth.write_text(text)
        with pytest.raises(DataError, match=why):
            read_devkit(tmp_path / NAME)
    (truth.parent / "meta.mat").write_bytes(b"MATLAB 5.0" + bytes(200))
    with pytest.raises(DataError, match=r"meta\.mat: "):
        read_devkit(tmp_path / NAME)


def test_without_the_extra_it_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = devkit(tmp_path, NUMBERS, LABELS)
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(RescliError, match=r"rescli\[devkit\]"):
        read_devkit(archive)
