"""What the device could do at most: multiply-adds a second in a large matrix product, measured here and now."""

from __future__ import annotations

from time import perf_counter

import torch

SIZE = 2048


def matrix_rate(precision: str, device: str, *, samples: int = 5) -> float:
    """FLOPs a second (a multiply-add is two) of the best of some products of square matrices in this precision."""
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    left, right = (torch.randn(SIZE, SIZE, device=device).to(kind) for _ in range(2))
    best = float("inf")
    for _ in range(samples + 1):
        _wait(device)
        start = perf_counter()
        _ = left @ right
        _wait(device)
        best = min(best, perf_counter() - start)
    return 2 * SIZE**3 / best


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
