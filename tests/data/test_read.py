"""Loading and checking CIFAR-10: a small one in its format, and the real one where it is at hand."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

from rescli.data.mean import mean_image
from rescli.data.read import load, verify
from rescli.errors import DataError, UsageError
from tests.data.conftest import BATCHES, Tiny


def test_load(tiny: Tiny) -> None:
    dataset = load("cifar10", data=tiny.root)
    assert dataset.name == "cifar10"
    assert dataset.classes[6] == "frog"
    np.testing.assert_array_equal(dataset.train.images, tiny.images[:100])
    np.testing.assert_array_equal(dataset.test.images, tiny.images[100:])
    assert dataset.train.labels.tolist() == tiny.labels[:100]
    assert dataset.train.images.flags.c_contiguous
    assert dataset.train.labels.dtype == np.int64


@pytest.mark.parametrize("file", ["data_batch_1", "data_batch_5", "test_batch", "batches.meta"])
@pytest.mark.parametrize("harm", ["missing", "truncated", "flipped", "folder"])
def test_damage_is_named(tiny: Tiny, file: str, harm: str) -> None:
    path = tiny.folder / file
    content = bytearray(path.read_bytes())
    path.unlink()
    if harm == "truncated":
        path.write_bytes(content[:-1])
    elif harm == "flipped":
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    elif harm == "folder":
        path.mkdir()
    state = "damaged" if harm in ("truncated", "flipped") else "missing"
    with pytest.raises(DataError) as error:
        load("cifar10", data=tiny.root)
    assert f"{file} is {state}" in error.value.message
    assert error.value.message.count(" is ") == 2, "only the damaged file is named"
    assert "rescli data fetch cifar10" in error.value.hint

    found = verify("cifar10", tiny.root)
    assert not found.ok
    assert [check.file for check in found.files if check.state == state] == [file]
    assert sum(check.state == "ok" for check in found.files) == 6
    assert found.train_images == 0


def test_an_empty_folder_names_every_file(tiny: Tiny) -> None:
    for path in tiny.folder.iterdir():
        path.unlink()
    with pytest.raises(DataError) as error:
        load("cifar10", data=tiny.root)
    assert all(f"{file} is missing" in error.value.message for file in [*BATCHES, "test_batch", "batches.meta"])


def test_nothing_is_unpickled_before_its_md5_is_checked(tiny: Tiny, tmp_path: Path) -> None:
    (tiny.folder / "data_batch_1").write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "owned").encode() + b"'\ntR.")
    with pytest.raises(DataError):
        load("cifar10", data=tiny.root)
    verify("cifar10", tiny.root)
    assert not (tmp_path / "owned").exists()


def test_verify(tiny: Tiny) -> None:
    found = verify("cifar10", tiny.root)
    assert found.ok
    assert found.root == tiny.root
    assert [check.file for check in found.files] == [*BATCHES, "test_batch", "batches.meta"]
    assert all(check.bytes == (tiny.folder / check.file).stat().st_size for check in found.files)
    assert (found.train_images, found.test_images) == (100, 20)
    assert found.train_per_class == (10,) * 10
    assert found.test_per_class == (2,) * 10
    train = tiny.images[:100] / 255
    np.testing.assert_allclose(found.mean, train.mean((0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(found.std, train.std((0, 1, 2)), rtol=1e-12)


def test_verify_what_is_built_in() -> None:
    found = verify("synthetic")
    assert found.ok
    assert found.root is None
    assert found.files == ()
    assert found.train_per_class == (1000,) * 10
    assert found.test_per_class == (200,) * 10


def test_nowhere_and_unknown(tmp_path: Path) -> None:
    for call in (lambda: load("cifar10", data=tmp_path), lambda: verify("cifar10", tmp_path)):
        with pytest.raises(DataError):
            call()
    for name in ("cifar-10", ""):
        with pytest.raises(UsageError):
            load(name)


def test_the_real_cifar10(cifar_root: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = load("cifar10", data=cifar_root)
        found = verify("cifar10", cifar_root)
    assert found.ok
    assert (found.train_images, found.test_images) == (50_000, 10_000)
    assert found.train_per_class == (5000,) * 10
    assert found.test_per_class == (1000,) * 10
    mean, std = (0.49139968, 0.48215841, 0.44653091), (0.24703223, 0.24348513, 0.26158784)
    np.testing.assert_allclose(found.mean, mean, atol=5e-9)
    np.testing.assert_allclose(found.std, std, atol=5e-9)
    assert dataset.train.labels[0] == 6
    assert dataset.classes[6] == "frog"
    np.testing.assert_allclose(mean_image(dataset.train.images).mean((0, 1)), mean, atol=1e-6)
