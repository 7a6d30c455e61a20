"""The rival: the loop that everyone writes, tuned as its users would tune it.

A DataLoader with worker processes and PIL transforms, NCHW, fp32, `zero_grad`, `backward`, `step`, and `.item()` every step.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from rescli.backends.cuda import convolve_in
from rescli.data.dataset import Images
from rescli.errors import UsageError
from rescli.models.build import build
from rescli.models.spec import Spec

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images as PIL sees them, each through the transforms when it is asked for."""

    def __init__(self, images: Images, transform: Any) -> None:
        self.images, self.transform = images, transform

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images.images[index])
        return self.transform(picture), int(self.images.labels[index])


@contextmanager
def usual_arithmetic(device: str) -> Iterator[None]:
    """While entered, convolutions compute as PyTorch's do by themselves: on CUDA in TF32, which our fp32 jobs switch off."""
    if device != "cuda":
        yield
        return
    before = torch.backends.cudnn.conv.fp32_precision  # type: ignore[attr-defined]
    convolve_in("tf32")
    try:
        yield
    finally:
        convolve_in(before)


class PlainLoop:
    """Training and evaluation of one net, as in many a repository. `workers` processes prepare the images."""

    def __init__(self, spec: Spec, images: Images, *, batch_size: int, workers: int, device: str) -> None:
        self.device = torch.device(device)
        torch.backends.cudnn.benchmark = True
        self.network: nn.Module = build(spec).to(self.device)
        self.optimizer = torch.optim.SGD(self.network.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
        normalize = [transforms.ToTensor(), transforms.Normalize(MEAN, STD)]
        augment = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip()]
        options: dict[str, Any] = {
            "batch_size": batch_size,
            "num_workers": workers,
            "pin_memory": self.device.type == "cuda",
            "persistent_workers": workers > 0,
        }
        training = Pictures(images, transforms.Compose([*augment, *normalize]))
        self.loader = DataLoader(training, shuffle=True, drop_last=True, **options)
        self.test_loader = DataLoader(Pictures(images, transforms.Compose(normalize)), **options)
        self._batches: Iterator[Any] = endless(self.loader)

    def steps(self, count: int) -> float:
        """Seconds of so many training steps."""
        self.network.train()
        with usual_arithmetic(self.device.type):
            start = perf_counter()
            for _ in range(count):
                x, y = self.batch()
                self.optimizer.zero_grad()
                loss = F.cross_entropy(self.network(x), y)
                loss.backward()  # type: ignore[no-untyped-call]
                self.optimizer.step()
                loss.item()
            return perf_counter() - start

    def evaluate(self) -> float:
        """Seconds of testing all images."""
        self.network.eval()
        correct = 0
        with torch.no_grad(), usual_arithmetic(self.device.type):
            start = perf_counter()
            for x, y in self.test_loader:
                logits = self.network(x.to(self.device, non_blocking=True))
                correct += int((logits.argmax(1) == y.to(self.device)).sum().item())
            taken = perf_counter() - start
        assert 0 <= correct <= len(self.test_loader.dataset)  # type: ignore[arg-type]
        return taken

    def batch(self) -> Any:
        """The next batch on the device: images and labels."""
        return tuple(part.to(self.device, non_blocking=True) for part in next(self._batches))


def check_batch(batch_size: int, images: Images) -> None:
    """Raises `UsageError` for a batch of more images than there are."""
    if batch_size > len(images):
        raise UsageError(
            f"a batch of {batch_size:,} images is more than the {len(images):,} there are",
            "Choose a smaller --batch-size.",
        )


def endless(loader: Iterable[Any]) -> Iterator[Any]:
    """Batches of one epoch after another."""
    while True:
        yield from loader
