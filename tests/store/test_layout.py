"""The layout that other programs rely on, read with plain h5py and as plain bytes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

import rescli
from rescli.store.encode import encode
from rescli.store.writer import write_run
from tests.store.samples import sample


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "run.h5"
    write_run(path, sample(3, analysis={"responses": {"std": np.ones(2), "std@units": "1", "note": "ä"}}))
    return path


def test_every_name_and_type(path: Path) -> None:
    found: dict[str, tuple[tuple[int, ...], str]] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: found.update({name: (item.shape, item.dtype.str)} if hasattr(item, "shape") else {})
        )
        assert {key: found.pop(key)[0] for key in ("recipe", "environment", "progress", "sessions")} == dict.fromkeys(
            ("recipe", "environment", "progress", "sessions"), ()
        )
        assert found == {
            "metrics/train/iteration": ((3,), "<i8"),
            "metrics/train/loss": ((3,), "<f8"),
            "metrics/test/iteration": ((0,), "<i8"),
            "metrics/test/error": ((0,), "<f8"),
            "input/mean_image": ((32, 32, 3), "<f4"),
            "checkpoint/model/conv1.weight": ((4, 3, 3, 3), "<f4"),
            "checkpoint/model/layer1.0.bn.weight": ((4,), "<f4"),
            "checkpoint/model/layer1.0.bn.num_batches_tracked": ((), "<i8"),
            "checkpoint/momentum/conv1.weight": ((4, 3, 3, 3), "<f4"),
            "checkpoint/momentum/layer1.0.bn.weight": ((4,), "<f4"),
            "analysis/responses/std": ((2,), "<f8"),
            "analysis/responses/note": ((), "|S2"),
        }


def test_texts_and_attributes(path: Path) -> None:
    with h5py.File(path) as file:
        assert file.userblock_size == 4096
        assert file.attrs["schema"] == 1
        assert file.attrs["status"].decode() == "running"
        assert file.attrs["created_by"].decode() == f"rescli {rescli.__version__}"
        assert json.loads(file["recipe"][()])["milestones"] == [32000, 48000]
        assert h5py.check_string_dtype(file["recipe"].dtype).encoding == "utf-8"
        assert file["metrics/train/loss"].attrs["units"].decode() == "nats per image"
        assert file["metrics/train/iteration"].attrs["units"].decode() == "iterations"
        assert file["metrics/test/error"].attrs["units"].decode() == "%"
        assert file["analysis/responses/std"].attrs["units"].decode() == "1"
        tensor = file["checkpoint/model/conv1.weight"]
        assert (tensor.chunks, tensor.compression) == (None, None)


def test_the_first_4096_bytes(path: Path) -> None:
    data = path.read_bytes()
    first, second, third, padding = data[:4096].split(b"\n", 3)
    image = data[4096:]
    assert first == b"rescli run store 1"
    assert json.loads(second) == {
        "schema": 1,
        "bytes": len(data),
        "hdf5_from_byte": 4096,
        "sha256": hashlib.sha256(image).hexdigest(),
        "summary": {"status": "running", "iteration": 3, "net": "resnet20", "saved": "2026-01-31T12:00:00Z"},
    }
    assert third.decode() == "sha256 " + hashlib.sha256(first + b"\n" + second + b"\n").hexdigest()
    assert not padding.strip(b"\0")
    assert image.startswith(b"\x89HDF\r\n\x1a\n")


def test_equal_records_give_equal_bytes_at_any_time() -> None:
    before = encode(sample())
    time.sleep(1.1)  # HDF5 stamps whole seconds
    assert encode(sample()) == before


def test_the_quick_modules_load_neither_numpy_nor_h5py() -> None:
    code = (
        "import sys, rescli.store, rescli.store.header, rescli.store.listing, rescli.store.lock, rescli.store.record\n"
        "print([name for name in ('numpy', 'h5py', 'torch', 'typer', 'rich') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_no_module_loads_torch_typer_or_rich() -> None:
    code = (
        "import sys, rescli.store.reader, rescli.store.writer, rescli.store.restore\n"
        "print([name for name in ('torch', 'typer', 'rich') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
