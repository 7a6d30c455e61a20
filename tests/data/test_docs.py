"""What docs/imagenet.md says about packed images, done."""

from __future__ import annotations

import re
from pathlib import Path

import h5py
import numpy as np
import pytest

from rescli.data.listing import list_images
from rescli.data.packed import Packed
from tests.data.packs import folder, packed

PAGE = (Path(__file__).parents[2] / "docs" / "imagenet.md").read_text(encoding="utf-8")


def test_the_python_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    packed(folder(tmp_path / "images"), tmp_path / "imagenet.h5")
    monkeypatch.chdir(tmp_path)
    found = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    names: dict[str, object] = {}
    exec(found[1], names)
    assert capsys.readouterr().out == "n0/0.JPEG n0 (500, 600)\n"
    images = list_images(tmp_path / "imagenet.h5", "train")
    assert isinstance(images, Packed)
    mean = images.mean_image(224, 256)
    assert mean is not None
    assert np.array_equal(np.asarray(names["mean"], np.float32), mean)


def test_the_table_has_everything(tmp_path: Path) -> None:
    packed(folder(tmp_path / "images"), tmp_path / "p.h5")
    with h5py.File(tmp_path / "p.h5") as file:
        said = [*file.attrs, *file["train"].attrs, *file["train/mean_sum"].attrs]
        found: list[str] = []
        file.visit(found.append)
    for name in said:
        assert f"`{name}`" in PAGE
    for path in found:
        if path not in ("train", "val"):
            assert f"`/{path}`" in PAGE or f"`/<split>/{path.split('/')[1]}`" in PAGE
