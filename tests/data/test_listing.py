"""Folders of images as they are found in the wild."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from rescli.data.listing import UNKNOWN, Listing, list_images, read_classes, splits_of
from rescli.errors import DataError, UsageError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def test_folders_of_classes_are_numbered_by_name(tmp_path: Path) -> None:
    val = tmp_path / "val"
    touch(
        val / "n02" / "b.JPEG",
        val / "n02" / "a.jpg",
        val / "n01" / "c.png",
        val / "n01" / "notes.txt",
        val / "n01" / ".x.jpg",
    )
    (val / "empty").mkdir()
    found = list_images(tmp_path, "val")
    assert found.root == val
    assert found.files == ("n01/c.png", "n02/a.jpg", "n02/b.JPEG")
    assert found.labels.tolist() == [0, 1, 1]
    assert found.classes == ("n01", "n02")
    assert found.labelled
    assert list_images(val, "val").files == found.files, "the folder itself will do"


def test_a_network_may_know_more_classes_than_the_folder_has(tmp_path: Path) -> None:
    touch(tmp_path / "n05" / "a.jpg", tmp_path / "n03" / "b.jpg")
    found = list_images(tmp_path, "val", classes=("n01", "n03", "n05"))
    assert found.labels.tolist() == [1, 2]
    assert found.classes == ("n01", "n03", "n05")
    with pytest.raises(UsageError, match="n05 is not one of the 2"):
        list_images(tmp_path, "val", classes=("n01", "n03"))


def test_the_flat_folder_as_published_with_the_true_classes(tmp_path: Path) -> None:
    touch(tmp_path / "val" / "2.JPEG", tmp_path / "val" / "1.JPEG")
    truth = tmp_path / "val.txt"
    truth.write_text("1.JPEG 3\n2.JPEG 0\n")
    assert list_images(tmp_path, "val", truth=truth).labels.tolist() == [3, 0]
    truth.write_text("2.JPEG n01\n1.JPEG n07\n")
    by_name = list_images(tmp_path, "val", truth=truth)
    assert (by_name.labels.tolist(), by_name.classes) == ([1, 0], ("n01", "n07"))
    assert list_images(tmp_path, "val", truth=truth, classes=("n07", "n00", "n01")).labels.tolist() == [0, 2]


def test_images_without_labels(tmp_path: Path) -> None:
    touch(tmp_path / "b.jpg", tmp_path / "a.jpg")
    found = list_images(tmp_path, "test")
    assert found.files == ("a.jpg", "b.jpg")
    assert found.labels.tolist() == [UNKNOWN, UNKNOWN]
    assert not found.labelled


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ("65\n12\n", "not an image and its class"),
        ("a.jpg 1\n", "says nothing of b.jpg"),
        ("a.jpg 1\nb.jpg 9\n", "class 9 of 3"),
        ("a.jpg x\nb.jpg q\n", "class q is not one of"),
        (f"a.jpg 1\nb.jpg {9 * 10**19}\n", "there is no class 90000000000000000000"),
        (f"a.jpg 1\nb.jpg {'9' * 5000}\n", "there is no class 9"),
    ],
)
def test_true_classes_that_make_no_sense(tmp_path: Path, lines: str, message: str) -> None:
    touch(tmp_path / "images" / "a.jpg", tmp_path / "images" / "b.jpg")
    (tmp_path / "truth.txt").write_text(lines)
    with pytest.raises((DataError, UsageError), match=message):
        list_images(tmp_path / "images", "val", truth=tmp_path / "truth.txt", classes=("x", "y", "z"))


def test_folders_that_make_no_sense(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be listed"):
        list_images(tmp_path / "nowhere", "val")
    with pytest.raises(DataError, match="holds no images"):
        list_images(tmp_path, "val")
    touch(tmp_path / "n01" / "a.jpg", tmp_path / "stray.jpg")
    with pytest.raises(DataError, match="both in folders"):
        list_images(tmp_path, "val")
    (tmp_path / "stray.jpg").unlink()
    with pytest.raises(UsageError, match="no effect"):
        list_images(tmp_path, "val", truth=tmp_path / "t.txt")


def test_lists_of_classes(tmp_path: Path) -> None:
    path = tmp_path / "synsets.txt"
    path.write_text("n01 tench\n\nn02 goldfish, gold fish\n")
    assert read_classes(path) == ("n01", "n02")
    path.write_text("n01\nn01\n")
    with pytest.raises(DataError, match="twice"):
        read_classes(path)
    path.write_text("")
    with pytest.raises(DataError, match="names no classes"):
        read_classes(path)


def test_what_is_hidden_is_no_class(tmp_path: Path) -> None:
    val = tmp_path / "val"
    touch(
        val / ".ipynb_checkpoints" / "x.png", val / "a" / "1.png", val / "a" / ".thumbs" / "1.png", val / "b" / "2.png"
    )
    found = list_images(tmp_path, "val")
    assert (found.classes, found.files) == (("a", "b"), ("a/1.png", "b/2.png"))


def test_a_class_that_cannot_be_listed_is_not_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The labels of all classes behind it would be others."""
    touch(tmp_path / "val" / "a" / "1.png", tmp_path / "val" / "b" / "2.png")
    scandir = os.scandir

    def refused(path: Path) -> Any:
        if Path(path).name == "a":
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refused)
    with pytest.raises(DataError, match="cannot be listed: Permission denied"):
        list_images(tmp_path, "val")


def test_digits_may_be_numbers_or_names(tmp_path: Path) -> None:
    """Twelve folders called 0 to 11 are sorted 0, 1, 10, 11, 2, ...: 10 is class 2 by its name."""
    touch(tmp_path / "val" / "x.jpg")
    truth = tmp_path / "val.txt"
    classes = tuple(sorted(str(number) for number in range(12)))
    truth.write_text("x.jpg 10\n")
    with pytest.raises(DataError, match="10 may be the number of a class, or the name of class 2"):
        list_images(tmp_path, "val", truth=truth, classes=classes)
    truth.write_text("x.jpg 1\n")
    assert list_images(tmp_path, "val", truth=truth, classes=classes).labels.tolist() == [1], "both mean the same"
    truth.write_text("x.jpg \u00b2\n", encoding="utf-8")
    assert list_images(tmp_path, "val", truth=truth).classes == ("\u00b2",), "a digit, but no number"


def test_names_with_spaces_and_a_mark_in_front(tmp_path: Path) -> None:
    touch(tmp_path / "val" / "1.JPEG", tmp_path / "val" / "my  cat.JPEG")
    truth, listed = tmp_path / "val.txt", tmp_path / "synsets.txt"
    truth.write_text("1.JPEG n01\n my  cat.JPEG\tn00 \n", encoding="utf-8-sig")
    listed.write_text("n00\nn01\n", encoding="utf-8-sig")
    found = list_images(tmp_path, "val", truth=truth, classes=read_classes(listed))
    assert (found.files, found.labels.tolist()) == (("1.JPEG", "my  cat.JPEG"), [1, 0])


def test_other_splits_are_not_classes(tmp_path: Path) -> None:
    touch(tmp_path / "train" / "n00" / "a.jpg", tmp_path / "test" / "b.jpg")
    for classes in (None, ("n00", "n01")):
        with pytest.raises(DataError, match=r"holds no images of the split val; there are train and test\n"):
            list_images(tmp_path, "val", classes=classes)
    shutil.rmtree(tmp_path / "test")
    with pytest.raises(DataError, match=r"holds no images of the split test; there is train\n"):
        list_images(tmp_path, "test")
    touch(tmp_path / "car" / "c.jpg")
    assert list_images(tmp_path, "val", classes=("car", "train")).labels.tolist() == [0, 1], "a train may be a train"


def test_a_class_without_an_image_is_refused_in_training(tmp_path: Path) -> None:
    touch(tmp_path / "train" / "n00" / "a.jpg", tmp_path / "train" / "n02" / "c.jpg")
    (tmp_path / "train" / "n01").mkdir()
    with pytest.raises(DataError, match="train: the class n01 holds no images"):
        list_images(tmp_path, "train")
    found = list_images(tmp_path, "train", gaps=True)
    assert isinstance(found, Listing)
    assert (found.classes, found.empty) == (("n00", "n02"), ("n01",))


@pytest.mark.parametrize("name", ["b", "9.JPEG"])
def test_a_link_that_leads_nowhere_is_not_left_out(tmp_path: Path, name: str) -> None:
    """The labels of all classes behind it would be others."""
    if name == "b":
        touch(tmp_path / "val" / "a" / "1.png", tmp_path / "val" / "c" / "2.png")
    else:
        touch(tmp_path / "val" / "1.JPEG")
    (tmp_path / "val" / ".hidden").symlink_to("/nowhere")
    list_images(tmp_path, "val")
    (tmp_path / "val" / name).symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=f"{name}: is a link to something that is not there"):
        list_images(tmp_path, "val")


def test_a_split_that_leads_nowhere_is_not_left_out(tmp_path: Path) -> None:
    touch(tmp_path / "train" / "a" / "1.png")
    assert splits_of(tmp_path) == ("train",)
    (tmp_path / "val").symlink_to(tmp_path / "purged")
    with pytest.raises(DataError, match="val: is a link to something that is not there"):
        splits_of(tmp_path)


def test_an_image_with_two_classes(tmp_path: Path) -> None:
    touch(tmp_path / "val" / "0.JPEG")
    truth = tmp_path / "val.txt"
    truth.write_text("0.JPEG 3\n0.JPEG 3\n")
    assert list_images(tmp_path, "val", truth=truth).labels.tolist() == [3]
    truth.write_text("0.JPEG 3\n0.JPEG 4\n")
    with pytest.raises(DataError, match=r"says two things of 0\.JPEG: 3 and 4"):
        list_images(tmp_path, "val", truth=truth)


def test_images_behind_a_link_are_of_the_class_and_no_link_is_followed_for_ever(tmp_path: Path) -> None:
    touch(
        tmp_path / "elsewhere" / "more" / "2.jpg",
        tmp_path / "train" / "a" / "1.jpg",
        tmp_path / "train" / "b" / "3.jpg",
    )
    (tmp_path / "train" / "a" / "linked").symlink_to(tmp_path / "elsewhere" / "more")
    (tmp_path / "train" / "a" / "up").symlink_to(tmp_path / "train" / "a")
    found = list_images(tmp_path, "train")
    assert found.files == ("a/1.jpg", "a/linked/2.jpg", "b/3.jpg")
