"""What the device could do at most, measured here and now: multiply-adds in a large matrix product, bytes in a large copy."""

from __future__ import annotations

from collections.abc import Callable

import torch

from rescli.bench.clock import seconds

SIZE = 2048
SIZES = {"cuda": 8192}
"""Rows and columns of matrices, and those on other devices: large enough that the product, not its launch, takes the time."""
LAUNCHES = {"cuda": 20}
"""How often in a row, by device: what lies between two events is work alone then."""
COPIED = 256 * 2**20  # bytes: larger than any cache


def matrix_rate(precision: str, device: str, *, samples: int = 5) -> float:
    """FLOPs a second (a multiply-add is two) in products of square matrices in this precision: the best of some samples."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    size = SIZES.get(device, SIZE)
    left, right = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
    return 2 * size**3 / _best(lambda: left @ right, device, samples)


def bandwidth(device: str, *, samples: int = 5) -> float:
    """Bytes a second, read and written, by copies within the device's memory, the best of some samples."""
    source = torch.randn(COPIED // 4, device=device)
    target = torch.empty_like(source)
    return 2 * COPIED / _best(lambda: target.copy_(source), device, samples)


def _best(work: Callable[[], object], device: str, samples: int) -> float:
    times = LAUNCHES.get(device, 1)

    def several() -> None:
        for _ in range(times):
            work()

    return min(seconds(several, device) for _ in range(samples + 1)) / times
