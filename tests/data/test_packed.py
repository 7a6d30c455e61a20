"""Packed photographs beside the folder that they came from."""

from __future__ import annotations

import gc
import os
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.datasets import ImageFolder
from torchvision.transforms.v2 import CenterCrop, Compose, PILToTensor, Resize

from rescli.data.decode import decode
from rescli.data.folder import FolderImages
from rescli.data.listing import UNKNOWN, Photographs, list_images, splits_of
from rescli.data.order import Order
from rescli.data.packed import Packed
from rescli.data.pixels import Normalized
from rescli.data.scaled import Augmentation
from rescli.data.stream import training_batches
from rescli.data.views import Views
from rescli.errors import DataError, UsageError
from tests.data.packs import flip, folder, packed, photograph


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder, and the file it is packed into."""
    root = tmp_path_factory.mktemp("both")
    packed(folder(root / "images"), root / "p.h5")
    return root / "images", root / "p.h5"


def test_it_lists_what_the_folder_lists(both: tuple[Path, Path]) -> None:
    for split in ("train", "val"):
        theirs, ours = (list_images(root, split) for root in both)
        assert isinstance(ours, Packed)
        assert ours.files == theirs.files
        assert ours.labels.tolist() == theirs.labels.tolist()
        assert (ours.classes, ours.labelled, len(ours)) == (theirs.classes, True, len(theirs))
        for row in range(len(ours)):
            assert ours.read(row) == theirs.read(row)
            assert decode(ours.opened(row)) == decode(theirs.opened(row))
    assert splits_of(both[0]) == splits_of(both[1]) == ("train", "val")


def test_training_batches_are_the_folders_bit_for_bit(both: tuple[Path, Path]) -> None:
    def batches(images: Photographs, workers: int) -> list[tuple[bytes, bytes, bytes]]:
        made = training_batches(images, Order(len(images), 3), Augmentation(), batch=3, workers=workers)
        found = [(one.pixels.tobytes(), one.labels.tobytes(), one.colour.tobytes()) for one in islice(made, 7)]
        made.close()
        return found

    theirs, ours = (list_images(root, "train") for root in both)
    assert batches(ours, 3) == batches(theirs, 1)


def test_the_feed_of_analyses_gives_torchvisions_crops(both: tuple[Path, Path]) -> None:
    views = Compose([Resize(256, antialias=True), CenterCrop(224), PILToTensor()])
    known = ImageFolder(str(both[0] / "val"), transform=views)
    for root in both:
        zeros, ones = np.zeros(3, np.float32), np.ones(3, np.float32)
        feed = FolderImages(list_images(root, "val"), size=224, mean=zeros, std=ones, divisor=1.0, spread=3)
        assert feed.rows == [0, 1, 2]
        pixels, labels = feed(torch.tensor([2, 0]))
        assert torch.equal(pixels, torch.stack([known[2][0], known[0][0]]).float())
        assert labels.tolist() == [known[2][1], known[0][1]]


@pytest.mark.parametrize("size", [64, 48])
def test_analyses_show_a_net_what_it_was_tested_on(both: tuple[Path, Path], size: int) -> None:
    """A run's mean image is subtracted at its own size; elsewhere its mean by channel."""
    mean = np.random.default_rng(0).random((64, 64, 3), np.float32)
    std = np.array([0.5, 1, 2], np.float32)
    listing = list_images(both[0], "val")
    feed = FolderImages(listing, size=size, mean=mean, std=std, divisor=255.0, spread=2)
    x, _ = feed(torch.tensor([0, 1]))
    views = Views(size=size, shorter=round(size * 256 / 224), crops=1)
    crops = np.concatenate([views.of(decode(listing.opened(row)))[0] for row in feed.rows])
    assert torch.equal(x, Normalized(mean, std, 255.0)(torch.from_numpy(crops)))
    assert x.mean((0, 2, 3)).numpy() == pytest.approx((crops.mean((0, 2, 3)) / 255 - mean.mean((0, 1))) / std, abs=1e-4)


def test_a_network_may_know_more_classes(both: tuple[Path, Path]) -> None:
    found = list_images(both[1], "val", classes=("n2", "x", "n1", "n0"))
    assert (found.labels.tolist(), found.classes) == ([3, 2, 0, 0], ("n2", "x", "n1", "n0"))
    with pytest.raises(UsageError, match="n2 is not one of the 2"):
        list_images(both[1], "val", classes=("n0", "n1"))
    with pytest.raises(UsageError, match="--truth has no effect"):
        list_images(both[1], "val", truth=both[1])


def test_the_flat_folder_as_published(tmp_path: Path) -> None:
    for name in ("b", "a"):
        photograph(tmp_path / "images" / "val" / f"{name}.JPEG", 60, 50)
    packed(tmp_path / "images", tmp_path / "p.h5")
    bare = list_images(tmp_path / "p.h5", "val")
    assert (bare.files, bare.labels.tolist(), bare.labelled, bare.classes) == (
        ("a.JPEG", "b.JPEG"),
        [UNKNOWN, UNKNOWN],
        False,
        (),
    )
    truth = tmp_path / "val.txt"
    truth.write_text("b.JPEG 0\na.JPEG 3\n")
    assert list_images(tmp_path / "p.h5", "val", truth=truth).labels.tolist() == [3, 0]
    packed(tmp_path / "images", tmp_path / "told.h5", truth=truth)
    told = list_images(tmp_path / "told.h5", "val")
    assert (told.labels.tolist(), told.classes) == ([3, 0], ())
    assert list_images(tmp_path / "told.h5", "val", classes=tuple("wxyz")).classes == tuple("wxyz")
    with pytest.raises(DataError, match="class 3 of 2"):
        list_images(tmp_path / "told.h5", "val", classes=("x", "y"))
    truth.write_text("b.JPEG n1\na.JPEG n0\n")
    packed(tmp_path / "images", tmp_path / "named.h5", truth=truth)
    assert list_images(tmp_path / "named.h5", "val").classes == ("n0", "n1")
    with pytest.raises(DataError, match="no images of the split train; there are val"):
        list_images(tmp_path / "p.h5", "train")


def test_damaged_bytes_are_named(both: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "p.h5"
    path.write_bytes(both[1].read_bytes())
    images = list_images(path, "val")
    assert isinstance(images, Packed)
    place = images.index.start + int(images.index.offsets[1])
    flip(path, place + 40)
    decode(images.opened(0))
    with pytest.raises(DataError, match=r"p\.h5: val/n1/1\.JPEG: damaged; its bytes do not match") as caught:
        decode(images.opened(1))
    assert "--skip-damaged" in caught.value.hint
    os.truncate(path, place + 10)
    with pytest.raises(DataError, match=r"val/n1/1\.JPEG"):
        images.read(1)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_the_file_is_closed_with_the_last_that_reads_it(both: tuple[Path, Path]) -> None:
    gc.collect()
    before = descriptors()
    images = list_images(both[1], "val")
    assert descriptors() == before + 1
    for wrong in ("test", "x"):
        with pytest.raises(DataError):
            list_images(both[1], wrong)
    del images
    gc.collect()
    assert descriptors() == before
