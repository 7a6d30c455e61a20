"""Images in folders, one folder a class, decoded as they are asked for: ImageNet and parts of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from rescli.data.order import EpochPlan
from rescli.errors import DataError

SHORTER_SIDE = 256 / 224
"""The shorter side of an image before its center is cut out, for each pixel of the crop (Sec. 3.4: 256 and 224)."""


class FolderImages(nn.Module):
    """The center crops of the images below a folder, as a feed: `images(rows)` decodes these rows.

    `spread` images are taken evenly from all classes, so that some of them stand for all. Inputs are
    (pixels / divisor - mean) / std, as `models.weights.bundle.Preprocessing` says.
    """

    def __init__(self, folder: Path, *, size: int, mean: Any, std: Any, divisor: float, spread: int | None) -> None:
        super().__init__()
        try:
            self.files = ImageFolder(str(folder))
        except (OSError, RuntimeError) as error:
            raise DataError(
                f"{folder}: holds no images in folders of their classes ({error})", "Give the folder: --data DIR."
            ) from error
        count = len(self.files) if spread is None else min(spread, len(self.files))
        self.rows = [i * len(self.files) // count for i in range(count)]
        resize = v2.Resize(round(size * SHORTER_SIDE), antialias=True)
        self.transform = v2.Compose([resize, v2.CenterCrop(size), v2.PILToTensor()])
        buffers: Mapping[str, Any] = {"mean": mean, "std": std, "divisor": divisor}
        for name, value in buffers.items():
            tensor = torch.as_tensor(value, dtype=torch.float32)
            # A mean image is only defined at its own size; elsewhere its mean by channel stands for it.
            tensor = tensor.mean((0, 1)) if tensor.ndim == 3 else tensor
            self.register_buffer(name, tensor.view(-1, 1, 1) if tensor.ndim else tensor, persistent=False)

    def __len__(self) -> int:
        return len(self.rows)

    def forward(self, index: Tensor) -> tuple[Tensor, Tensor]:
        """Images float32 [n, 3, size, size] and labels int64 [n] of these rows. Raises `DataError` for a damaged file."""
        device = index.device
        images, labels = [], []
        for row in index.tolist():
            path, label = self.files.samples[self.rows[row]]
            try:
                images.append(self.transform(self.files.loader(path)))
            except (OSError, SyntaxError, ValueError) as error:
                raise DataError(f"{path}: cannot be decoded: {error}", "Fetch it anew, or take it out.") from error
            labels.append(label)
        pixels = torch.stack(images).to(device).float()
        x = (pixels / self.get_buffer("divisor") - self.get_buffer("mean")) / self.get_buffer("std")
        return x.contiguous(memory_format=torch.channels_last), torch.tensor(labels, device=device)

    def plan_tensors(self, plan: EpochPlan) -> tuple[Tensor, ...]:
        """An epoch's order as a host tensor; these are center crops, which nothing augments."""
        return (torch.from_numpy(plan.index),)
