"""The processor: channels-last, bf16 where it has instructions for that. Exact: the same bits in every run."""

from __future__ import annotations

import platform
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import psutil
import torch
from torch import nn

from rescli.backends.base import Device, Job
from rescli.backends.onednn import fused
from rescli.backends.worker import TorchWorker
from rescli.errors import BackendError

EVAL_BATCH = 200  # small enough that a layer's maps stay in the processor's cache: 4 times as fast as 1000 in fp32


class CpuBackend:
    """Always there. Results depend on the number of threads (the order of sums), so that is kept over a resume."""

    name: ClassVar[str] = "cpu"
    distributed: ClassVar[bool] = True

    def unavailable(self) -> str | None:
        """Never."""
        return None

    def device(self) -> Device:
        """The processor and the machine's memory."""
        memory = psutil.virtual_memory()
        return Device(
            name=_processor(),
            memory_total=memory.total,
            memory_free=memory.available,
            details={"threads": torch.get_num_threads(), "bf16": has_bf16()},
        )

    def precision(self, asked: str) -> str:
        """Auto and bf16: bf16 where the processor has it, else fp32. Emulated, bf16 would be slower than fp32."""
        if asked in ("auto", "bf16"):
            return "bf16" if has_bf16() else "fp32"
        if asked == "tf32":
            raise BackendError("a processor has no tf32; that is a GPU's", "Use --precision fp32 or bf16.")
        return asked

    def start(self, job: Job) -> TorchWorker:
        """Put a job on the processor."""
        if job.threads is not None:
            torch.set_num_threads(job.threads)
        # Compiled blocks are slower here than oneDNN's own: see docs/performance.md.
        return CpuWorker(job, torch.device("cpu"), eval_batch=EVAL_BATCH, compiled=bool(job.compile))


class CpuWorker(TorchWorker):
    """The shared step on the processor, and evaluation by its library's fused operators."""

    def _finish(self, network: nn.Module) -> nn.Module:
        return network if self.compiled else fused(network)


@lru_cache(maxsize=1)
def has_bf16() -> bool:
    """Whether the processor multiplies bf16 in hardware."""
    try:
        capabilities = torch.cpu.get_capabilities()
    except (AttributeError, RuntimeError):  # before torch 2.10
        capabilities = {}
    flags = {name for name, present in capabilities.items() if present is True} or _cpuinfo_flags()
    return not flags.isdisjoint({"avx512_bf16", "amx_bf16", "bf16"})


def _cpuinfo() -> dict[str, str]:
    """The first processor's entry of Linux's /proc/cpuinfo; empty elsewhere."""
    try:
        first = Path("/proc/cpuinfo").read_text(errors="replace").split("\n\n")[0]
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in first.splitlines())}


def _cpuinfo_flags() -> set[str]:
    info = _cpuinfo()
    return set((info.get("flags") or info.get("Features") or "").split())


def _processor() -> str:
    return _cpuinfo().get("model name") or platform.processor() or platform.machine()
