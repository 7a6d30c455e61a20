"""ImageNet's development kit in small, in the format of the published one."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy.io import savemat

NAME = "ILSVRC2012_devkit_t12"
KIND = [(name, object) for name in ("ILSVRC2012_ID", "WNID", "words", "gloss", "num_children")]
KIND += [(name, object) for name in ("children", "wordnet_height", "num_train_images")]


def devkit(folder: Path, numbers: Mapping[str, int], truth: Sequence[int]) -> Path:
    """The archive; what it holds lies beside it. One class more stands above all others, and has no images."""
    data = folder / NAME / "data"
    data.mkdir(parents=True)
    count = len(numbers)
    rows = [
        (number, wnid, f"{wnid}, thing", "a thing", 0, np.zeros(0), 0, 1300)
        for wnid, number in sorted(numbers.items(), key=lambda one: one[1])
    ]
    rows.append((count + 1, "n99999999", "entity", "all", count, np.array(list(numbers.values())), 1, 0))
    savemat(data / "meta.mat", {"synsets": np.array(rows, dtype=KIND)[:, None]})
    (data / "ILSVRC2012_validation_ground_truth.txt").write_text("".join(f"{number}\n" for number in truth))
    archive = folder / f"{NAME}.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(folder / NAME, NAME)
    return archive
