"""How long something took, and how much memory it needed at its peak."""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import psutil
import torch


def seconds(work: Callable[[], object], device: str) -> float:
    """Of `work` on the device: by its own events on CUDA, from an idle device to an idle one."""
    if device != "cuda":
        start = perf_counter()
        work()
        return perf_counter() - start
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
    torch.cuda.synchronize()
    begin.record()
    work()
    torch.cuda.synchronize()  # whatever stream it ran on
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1000


class PeakMemory:
    """Bytes that a part of the program needed: what PyTorch handed out on CUDA, else the rise of the resident memory.

    None where the system does not say.
    """

    def __init__(self, device: str) -> None:
        self._device = device
        if device == "cuda":
            gc.collect()  # a worker and its recordings hold one another
            torch.cuda.reset_peak_memory_stats()
            self._before = torch.cuda.memory_allocated()
            return
        _give_back()
        try:
            Path("/proc/self/clear_refs").write_text("5")  # Linux: forget the highest resident memory so far
        except OSError:
            self._device = "unknown"
        self._before = psutil.Process().memory_info().rss

    def read(self) -> int | None:
        """The peak since this was made, above what there was then."""
        if self._device == "cuda":
            return int(torch.cuda.max_memory_allocated()) - self._before
        if self._device == "unknown":
            return None
        lines = Path("/proc/self/status").read_text().splitlines()
        highest = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
        return max(0, highest - self._before)


def _give_back() -> None:
    """Have freed memory leave the process, so that what comes next has to ask for its own."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # only GNU's C library can
        ctypes.CDLL(None).malloc_trim(0)
