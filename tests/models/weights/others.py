"""Networks and dumps as others write them, re-written here from their descriptions: independent witnesses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Block(nn.Module):
    """A block of the common CIFAR re-implementation: option A pads a quarter of the new width on either side."""

    def __init__(self, channels_in: int, channels: int, stride: int, *, project: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.pad = channels // 4 if stride != 1 or channels_in != channels else 0
        self.shortcut = nn.Sequential()
        if project and self.pad:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels_in, channels, 1, stride, bias=False), nn.BatchNorm2d(channels)
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if len(self.shortcut):
            short = self.shortcut(x)
        elif self.pad:
            short = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
        else:
            short = x
        return F.relu(out + short)


class OtherCifarNet(nn.Module):
    """The common CIFAR re-implementation: its head is called `linear`."""

    def __init__(self, n: int, *, project: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        width = 16
        for number, channels in enumerate((16, 32, 64), start=1):
            blocks = []
            for index in range(n):
                blocks.append(_Block(width, channels, 2 if index == 0 and number > 1 else 1, project=project))
                width = channels
            self.add_module(f"layer{number}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.bn1(self.conv1(x)))
        for number in (1, 2, 3):
            x = self.get_submodule(f"layer{number}")(x)
        out: Tensor = self.linear(F.avg_pool2d(x, x.shape[3]).flatten(1))
        return out


def as_timm_vgg(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """torchvision's VGG under timm's names: its first two fc layers are convolutions, over a 7x7 map and a 1x1 one."""
    hidden = {"classifier.0": ("pre_logits.fc1", 7), "classifier.3": ("pre_logits.fc2", 1)}
    found: dict[str, Tensor] = {}
    for name, value in state.items():
        layer, _, part = name.rpartition(".")
        if layer in hidden:
            theirs, size = hidden[layer]
            found[f"{theirs}.{part}"] = value.view(len(value), -1, size, size) if part == "weight" else value
        else:
            found[name.replace("classifier.6", "head.fc")] = value
    return found


def randomized(net: nn.Module, seed: int = 0) -> nn.Module:
    """The same net with BN that does something, in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 1.5, generator=generator)
            nn.init.uniform_(module.weight, 0.5, 1.5, generator=generator)
            nn.init.normal_(module.bias, 0, 0.1, generator=generator)
    return net.eval()


class CaffeNet:
    """A random ResNet-50 as a dump of Caffe blobs, and its forward pass blob by blob, on BGR images in 0..255."""

    LETTERS = ("abc", "abcd", "abcdef", "abc")

    def __init__(self, seed: int = 0, factor: float = 999.98) -> None:
        self.random = np.random.default_rng(seed)
        self.factor = factor
        self.blobs: dict[str, list[np.ndarray[Any, Any]]] = {}
        self.conv("conv1", 3, 64, 7, bias=True)
        self.norm("conv1", "_", 64)
        width = 64
        for stage, letters in enumerate(self.LETTERS, start=2):
            inner = 64 * 2 ** (stage - 2)
            for letter in letters:
                place = f"{stage}{letter}"
                if letter == "a":
                    self.conv(f"res{place}_branch1", width, 4 * inner, 1)
                    self.norm(f"{place}_branch1", "", 4 * inner)
                for part, (a, b, k) in zip(
                    "abc", ((width, inner, 1), (inner, inner, 3), (inner, 4 * inner, 1)), strict=True
                ):
                    self.conv(f"res{place}_branch2{part}", a, b, k)
                    self.norm(f"{place}_branch2{part}", "", b)
                width = 4 * inner
        self.blobs["fc1000"] = [self.normal(1000, 2048) * 0.02, self.normal(1000)]

    def normal(self, *shape: int) -> np.ndarray[Any, Any]:
        return self.random.standard_normal(shape).astype(np.float32)

    def conv(self, name: str, channels_in: int, channels: int, kernel: int, *, bias: bool = False) -> None:
        scale = np.float32((2 / (channels_in * kernel * kernel)) ** 0.5)
        self.blobs[name] = [self.normal(channels, channels_in, kernel, kernel) * scale]
        if bias:
            self.blobs[name].append(self.normal(channels))

    def norm(self, place: str, joint: str, channels: int) -> None:
        factor = np.float32(self.factor)
        variance = self.random.uniform(0.5, 1.5, channels).astype(np.float32)
        self.blobs[f"bn{joint}{place}"] = [
            self.normal(channels) * np.float32(0.1) * factor,
            variance * factor,
            np.array([factor]),
        ]
        self.blobs[f"scale{joint}{place}"] = [
            self.random.uniform(0.2, 0.6, channels).astype(np.float32),
            self.normal(channels) * np.float32(0.1),
        ]

    def dump(self, form: str = "{layer}/{index}") -> dict[str, np.ndarray[Any, Any]]:
        return {
            form.format(layer=layer, index=index): blob
            for layer, blobs in self.blobs.items()
            for index, blob in enumerate(blobs)
        }

    def forward(self, bgr: Tensor) -> Tensor:
        """[N, 3, H, W], 0..255, BGR, mean subtracted -> logits."""
        x = F.relu(self.apply("conv1", "_conv1", bgr, stride=2, padding=3))
        x = F.max_pool2d(x, 3, 2, ceil_mode=True)
        for stage, letters in enumerate(self.LETTERS, start=2):
            for letter in letters:
                place, stride = f"{stage}{letter}", 2 if letter == "a" and stage > 2 else 1
                short = self.apply(f"res{place}_branch1", f"{place}_branch1", x, stride) if letter == "a" else x
                y = F.relu(self.apply(f"res{place}_branch2a", f"{place}_branch2a", x, stride))
                y = F.relu(self.apply(f"res{place}_branch2b", f"{place}_branch2b", y, padding=1))
                x = F.relu(short + self.apply(f"res{place}_branch2c", f"{place}_branch2c", y))
        weight, bias = map(torch.from_numpy, self.blobs["fc1000"])
        return x.mean((2, 3)) @ weight.T + bias

    def apply(self, name: str, norm: str, x: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
        blobs = [torch.from_numpy(blob) for blob in self.blobs[name]]
        x = F.conv2d(x, blobs[0], blobs[1] if len(blobs) > 1 else None, stride, padding)
        mean, variance, factor = (torch.from_numpy(blob) for blob in self.blobs[f"bn{norm}"])
        gamma, beta = (torch.from_numpy(blob) for blob in self.blobs[f"scale{norm}"])
        x = (x - (mean / factor)[:, None, None]) / (variance / factor + 1e-5).sqrt()[:, None, None]
        return x * gamma[:, None, None] + beta[:, None, None]
