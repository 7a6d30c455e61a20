"""A small folder of images, and networks of torchvision's for it, as somebody would have saved them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

CLASSES = 6
NET = ("--net", "resnet18", "--shortcut", "B", "--normalize", "imagenet", "--threads", "1")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two images of each class, of various shapes; one is grey."""
    root = tmp_path_factory.mktemp("photographs")
    random = np.random.default_rng(0)
    for number in range(CLASSES):
        for which, (width, height) in enumerate([(260 + 17 * number, 240), (230, 250 + 9 * number)]):
            coarse = Image.fromarray(random.integers(0, 256, (12, 12, 3), np.uint8))
            path = root / "val" / f"n{number:02}" / f"{which}.JPEG"
            path.parent.mkdir(parents=True, exist_ok=True)
            coarse.resize((width, height)).convert("L" if number + which == 0 else "RGB").save(path)
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two of torchvision's ResNet-18 with random weights, as somebody would have saved them."""
    import torch
    import torchvision

    from tests.models.weights.others import randomized

    folder = tmp_path_factory.mktemp("weights")
    paths = {}
    for name, seed in (("a", 0), ("b", 1)):
        torch.manual_seed(seed)
        net = randomized(torchvision.models.resnet18(num_classes=CLASSES), seed)
        paths[name] = folder / f"{name}.pth"
        torch.save(net.state_dict(), paths[name])
    return paths
