"""The residual nets of Sec. 4.2 in a loop that knows the paper and PyTorch, and nothing of rescli.

    python -m benchmarks.independent --data DIR --depth 56 --iterations 400 --seed 0

For the question whether something odd is ours or the recipe's. `DIR` holds `cifar-10-batches-py`. Prints the training error
over every hundred iterations, and with `--test` the test error at the end. Nothing here is clever enough to be wrong, or fast.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.datasets import CIFAR10

BATCH = 128
WINDOW = 100


class Block(nn.Module):
    """Two 3x3 convolutions beside an identity; where shapes change that is option A: every second pixel, padded with zeros."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.stride, self.extra = 1 if channels == width else 2, width - channels
        self.conv1 = nn.Conv2d(channels, width, 3, self.stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """Of [N, channels, H, W]."""
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.extra)))


def network(depth: int) -> nn.Sequential:
    """6n+2 layers, initialized as in [12]: std sqrt(2 / fan-in)."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    channels = 16
    for width in (16, 32, 64):
        for _ in range((depth - 2) // 6):
            layers.append(Block(channels, width))
            channels = width
    net = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)
    return net.to(memory_format=torch.channels_last)


def pixels(data: Path, *, train: bool) -> tuple[Tensor, Tensor]:
    """Images, float [n, 3, 32, 32] in [0, 1], and labels, int64 [n]."""
    images = CIFAR10(str(data), train=train)
    return torch.from_numpy(images.data).permute(0, 3, 1, 2).float() / 255, torch.tensor(images.targets)


def augmented(images: Tensor) -> Tensor:
    """Padded by 4 on each side, a random 32x32 crop of that or of its flip."""
    padded, crops = F.pad(images, (4, 4, 4, 4)), []
    for image in padded:
        top, left = torch.randint(0, 9, (2,)).tolist()
        crop = image[:, top : top + 32, left : left + 32]
        crops.append(crop.flip(2) if torch.rand(()) < 0.5 else crop)
    return torch.stack(crops).contiguous(memory_format=torch.channels_last)


def train(net: nn.Sequential, images: Tensor, labels: Tensor, iterations: int, falls: list[int]) -> None:
    """SGD at 0.1, divided by 10 after the iterations in `falls`; momentum 0.9, weight decay 1e-4."""
    sgd = torch.optim.SGD(net.parameters(), 0.1, momentum=0.9, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.MultiStepLR(sgd, falls)
    started, wrong, seen, iteration = time.perf_counter(), 0, 0, 0
    while iteration < iterations:
        order = torch.randperm(len(images))
        for first in range(0, min(len(images), BATCH * (iterations - iteration)), BATCH):
            rows = order[first : first + BATCH]
            scores = net(augmented(images[rows]))
            sgd.zero_grad()
            F.cross_entropy(scores, labels[rows]).backward()  # type: ignore[no-untyped-call]
            sgd.step()
            schedule.step()
            iteration += 1
            wrong, seen = wrong + int((scores.argmax(1) != labels[rows]).sum()), seen + len(rows)
            if iteration % WINDOW == 0 or iteration == iterations:
                seconds = time.perf_counter() - started
                print(f"{iteration:6}  train error {100 * wrong / seen:5.1f} %  {seconds:.0f} s", flush=True)
                wrong = seen = 0


@torch.no_grad()
def tested(net: nn.Sequential, images: Tensor, labels: Tensor) -> float:
    """Error in % of the single 32x32 view."""
    net.eval()
    wrong = sum(
        int((net(images[i : i + 1000]).argmax(1) != labels[i : i + 1000]).sum()) for i in range(0, len(images), 1000)
    )
    return 100 * wrong / len(images)


def main() -> None:
    """The options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--depth", type=int, default=20)
    parser.add_argument("--iterations", type=int, default=4000)
    parser.add_argument("--constant", action="store_true", help="never divide the rate: as a longer run begins")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--test", action="store_true", help="test error at the end")
    options = parser.parse_args()
    torch.manual_seed(options.seed)
    if options.threads:
        torch.set_num_threads(options.threads)
    images, labels = pixels(options.data, train=True)
    mean = images.mean(0)
    net = network(options.depth)
    falls = [] if options.constant else [options.iterations // 2, options.iterations * 3 // 4]
    train(net, images - mean, labels, options.iterations, falls)
    if options.test:
        images, labels = pixels(options.data, train=False)
        print(f"test error {tested(net, images - mean, labels):.2f} %")


if __name__ == "__main__":
    main()
