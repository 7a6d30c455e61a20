"""What becomes of photographs that are packed."""

from __future__ import annotations

import os
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from rescli.data.decode import decode
from rescli.data.listing import Listing, list_images
from rescli.data.mean import mean_image
from rescli.data.packed import Packed
from rescli.data.packing import for_training, kept_whole
from rescli.data.views import center_view
from rescli.errors import DataError, UsageError
from tests.data.devkits import devkit
from tests.data.packs import folder, packed, photograph


def single(path: Path) -> Listing:
    return Listing(root=path.parent, files=(path.name,), labels=np.zeros(1, np.int64), classes=("x",))


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize(("width", "height"), [(300, 480), (480, 700), (40, 40), (2000, 480)])
def test_jpegs_of_a_moderate_size_are_kept_to_the_byte(tmp_path: Path, mode: str, width: int, height: int) -> None:
    path = photograph(tmp_path / "a.JPEG", width, height, mode)
    made = for_training(single(path), 0, shorter=480, quality=95)
    assert made.kept
    assert made.data == path.read_bytes()
    assert made.crc32 == zlib.crc32(made.data)


@given(st.integers(65, 200), st.integers(65, 200), st.sampled_from(["RGB", "L", "CMYK"]))
def test_larger_ones_get_the_shorter_side(tmp_path_factory: pytest.TempPathFactory, w: int, h: int, mode: str) -> None:
    path = photograph(tmp_path_factory.mktemp("one") / "a.jpg", w, h, mode)
    made = for_training(single(path), 0, shorter=64, quality=95)
    image = opened(made.data)
    assert not made.kept
    assert (image.format, image.mode) == ("JPEG", "L" if mode == "L" else "RGB")
    assert image.size == ((64, int(64 * h / w)) if w <= h else (int(64 * w / h), 64))


@pytest.mark.parametrize(
    ("name", "mode"), [("a.png", "RGB"), ("a.png", "P"), ("a.JPEG", "CMYK"), ("a.bmp", "RGB"), ("a.png", "RGBA")]
)
def test_what_is_no_grey_or_rgb_jpeg_becomes_one(tmp_path: Path, name: str, mode: str) -> None:
    path = photograph(tmp_path / name, 300, 200, mode)
    images = single(path)
    made = for_training(images, 0, shorter=480, quality=95)
    image = opened(made.data)
    assert (made.kept, image.format, image.mode, image.size) == (False, "JPEG", "RGB", (300, 200))
    before, after = (np.asarray(one.convert("L"), np.int16) for one in (decode(images.opened(0)), image))
    assert np.abs(before - after).mean() < 6
    assert kept_whole(images, 0).data == path.read_bytes(), "test images stay what they are"


def test_the_name_says_nothing_about_the_format(tmp_path: Path) -> None:
    """ImageNet has a PNG that is called .JPEG."""
    path = photograph(tmp_path / "a.JPEG", 300, 200, format="PNG")
    assert opened(for_training(single(path), 0, shorter=480, quality=95).data).format == "JPEG"


def test_quality_and_the_images_comments(tmp_path: Path) -> None:
    path = photograph(tmp_path / "a.JPEG", 600, 600, comment=b"by me", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
    best, worst = (for_training(single(path), 0, shorter=480, quality=quality).data for quality in (95, 20))
    assert len(worst) < len(best)
    assert not {"comment", "exif"} & set(opened(best).info)


@pytest.mark.parametrize("prepare", [kept_whole, lambda i, r: for_training(i, r, shorter=480, quality=95)])
def test_damaged_images_are_found(tmp_path: Path, prepare: object) -> None:
    path = photograph(tmp_path / "a.JPEG", 300, 200)
    path.write_bytes(path.read_bytes()[:-500])
    assert callable(prepare)
    with pytest.raises(DataError, match=r"a\.JPEG: cannot be decoded"):
        prepare(single(path), 0)


def test_the_mean_is_that_of_the_center_crops_of_what_is_packed(tmp_path: Path) -> None:
    root = folder(tmp_path / "images")
    photograph(root / "train" / "n0" / "large.png", 700, 900)
    packed(root, tmp_path / "p.h5")
    images = list_images(tmp_path / "p.h5", "train")
    assert isinstance(images, Packed)
    crops = np.stack([center_view(decode(images.opened(row)), 256, 224) for row in range(len(images))])
    found = images.mean_image(224, 256)
    assert found is not None
    assert found.dtype == np.float32
    assert np.array_equal(found, mean_image(crops))
    assert images.mean_image(192, 256) is None
    tests = list_images(tmp_path / "p.h5", "val")
    assert isinstance(tests, Packed)
    assert tests.mean_image(224, 256) is None


def test_damaged_images_are_left_out_only_when_asked(tmp_path: Path) -> None:
    root = folder(tmp_path / "images")
    for path in (root / "train" / "n1" / "1.JPEG", root / "val" / "n0" / "0.JPEG"):
        path.write_bytes(path.read_bytes()[:700])
    with pytest.raises(DataError, match=r"1\.JPEG: cannot be decoded"):
        packed(root, tmp_path / "p.h5")
    assert [entry.name for entry in tmp_path.iterdir()] == ["images"]
    made = packed(root, tmp_path / "p.h5", skip_damaged=True)
    assert [one.skipped for one in made.splits] == [("n1/1.JPEG",), ("n0/0.JPEG",)]
    assert [one.images for one in made.splits] == [6, 3]
    found, whole = list_images(tmp_path / "p.h5", "train"), list_images(root, "train")
    assert found.files == tuple(name for name in whole.files if name != "n1/1.JPEG")
    assert found.labels.tolist() == [0, 0, 0, 1, 2, 2]
    for row, name in enumerate(found.files):
        assert found.read(row) == (root / "train" / name).read_bytes()


def test_nothing_that_can_be_decoded(tmp_path: Path) -> None:
    (tmp_path / "images" / "val" / "n0").mkdir(parents=True)
    (tmp_path / "images" / "val" / "n0" / "a.JPEG").write_bytes(b"no image")
    with pytest.raises(DataError, match="no image could be decoded"):
        packed(tmp_path / "images", tmp_path / "p.h5", skip_damaged=True)


def test_folders_that_make_no_sense(tmp_path: Path) -> None:
    photograph(tmp_path / "n0" / "a.JPEG", 50, 50)
    with pytest.raises(DataError, match="neither train/ nor val/"):
        packed(tmp_path, tmp_path / "p.h5")
    photograph(tmp_path / "both" / "train" / "n0" / "a.JPEG", 50, 50)
    photograph(tmp_path / "both" / "val" / "n1" / "a.JPEG", 50, 50)
    with pytest.raises(DataError, match="class n1, which train has not"):
        packed(tmp_path / "both", tmp_path / "p.h5")
    (tmp_path / "p.h5").write_bytes(b"mine")
    with pytest.raises(UsageError, match="is there already"):
        packed(folder(tmp_path / "good"), tmp_path / "p.h5")
    assert (tmp_path / "p.h5").read_bytes() == b"mine"


def test_test_images_are_numbered_as_those_of_training(tmp_path: Path) -> None:
    root = folder(tmp_path / "images")
    for name in ("n0", "n1"):
        for path in (root / "val" / name).iterdir():
            path.unlink()
    packed(root, tmp_path / "p.h5")
    found = list_images(tmp_path / "p.h5", "val")
    assert (found.labels.tolist(), found.classes) == ([2, 2], ("n0", "n1", "n2"))


def test_equal_images_give_equal_bytes(tmp_path: Path) -> None:
    root = folder(tmp_path / "images")
    packed(root, tmp_path / "a.h5")
    packed(tmp_path / "a.h5", tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes(), "a file may be packed again, too"


def test_the_development_kit_knows_more_classes_than_a_part_has(tmp_path: Path) -> None:
    for name in ("n1", "n2"):
        photograph(tmp_path / "train" / name / "a.JPEG", 50, 50)
    for number in (1, 2):
        photograph(tmp_path / "val" / f"ILSVRC2012_val_{number:08d}.JPEG", 50, 50 + number)
    kit = devkit(tmp_path / "kit", {"n1": 1, "n2": 2, "n3": 3}, [2, 1])
    packed(tmp_path, tmp_path / "p.h5", truth=kit)
    found = list_images(tmp_path / "p.h5", "val")
    assert (found.labels.tolist(), found.classes) == ([1, 0], ("n1", "n2"))


def test_a_pipe_among_the_images_is_named_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.JPEG")
    with pytest.raises(DataError, match="is no ordinary file"):
        for_training(single(tmp_path / "a.JPEG"), 0, shorter=480, quality=95)
