"""The real CIFAR-10 where it is at hand, and a small one in its format where it is not needed."""

from __future__ import annotations

import hashlib
import os
import pickle
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from tests.cli.conftest import rescli as rescli
from tests.photographs.conftest import photographs as photographs
from tests.photographs.conftest import trained as trained

FOLDER = "cifar-10-batches-py"
BATCHES = [f"data_batch_{i}" for i in range(1, 6)]


@pytest.fixture(scope="session")
def cifar_root() -> Path:
    """The folder that holds the published CIFAR-10."""
    beside = Path(__file__).parents[3] / "shared" / "data"
    for root in (os.environ.get("RESCLI_DATA"), beside):
        if root and (Path(root) / FOLDER).is_dir():
            return Path(root)
    pytest.skip(f"needs CIFAR-10: set RESCLI_DATA to the folder that holds {FOLDER}")


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the user's data sets nor the user's cache are seen or touched."""
    monkeypatch.delenv("RESCLI_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@dataclass(frozen=True)
class Tiny:
    """A data set in CIFAR-10's format that passes for the published one: 100 training and 20 test images."""

    root: Path
    archive: Path
    images: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
    labels: list[int]

    @property
    def folder(self) -> Path:
        return self.root / FOLDER


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tiny:
    root = tmp_path / "tiny"
    (root / FOLDER).mkdir(parents=True)
    images = np.random.Generator(np.random.PCG64(0)).integers(0, 256, (120, 3, 32, 32)).astype(np.uint8)
    labels = [i % 10 for i in range(120)]
    for i, file in enumerate([*BATCHES, "test_batch"]):
        rows = slice(20 * i, 20 * (i + 1))
        _pickle(root / FOLDER / file, {"data": images[rows].reshape(20, -1), "labels": labels[rows]})
    names = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
    _pickle(root / FOLDER / "batches.meta", {"label_names": names})
    archive = tmp_path / CIFAR10.filename
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(root / FOLDER, FOLDER)
    monkeypatch.setattr(CIFAR10, "train_list", [[file, md5(root / FOLDER / file)] for file in BATCHES])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5(root / FOLDER / "test_batch")]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5(root / FOLDER / "batches.meta")})
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(archive))
    return Tiny(root, archive, images.transpose(0, 2, 3, 1), labels)


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def _pickle(path: Path, value: object) -> None:
    path.write_bytes(pickle.dumps(value, protocol=2))
