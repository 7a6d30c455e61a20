"""An NVIDIA GPU: images and augmentation on the device, channels-last, bf16 or TF32, and no waiting for Python."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from rescli.backends.base import Device, Job
from rescli.backends.worker import TorchWorker
from rescli.errors import BackendError

EVAL_BATCH = 1000


class CudaBackend:
    """The current CUDA device."""

    name: ClassVar[str] = "cuda"

    def unavailable(self) -> str | None:
        """Why PyTorch sees no GPU."""
        if torch.version.cuda is None:
            return f"this PyTorch ({torch.__version__}) was built without CUDA"
        if not torch.cuda.is_available():
            return "PyTorch sees no NVIDIA GPU (is there a driver, and is CUDA_VISIBLE_DEVICES right?)"
        return None

    def device(self) -> Device:
        """The GPU, its memory, and what reads like `sm_90`."""
        free, total = torch.cuda.mem_get_info()
        major, minor = torch.cuda.get_device_capability()
        return Device(
            name=torch.cuda.get_device_name(),
            memory_total=total,
            memory_free=free,
            details={
                "capability": f"{major}.{minor}",
                "cuda": torch.version.cuda or "",
                "cudnn": torch.backends.cudnn.version() or 0,  # type: ignore[no-untyped-call]
                "count": torch.cuda.device_count(),
                "bf16": torch.cuda.is_bf16_supported(including_emulation=False),
            },
        )

    def precision(self, asked: str) -> str:
        """auto: bf16 where the GPU has it, else fp32."""
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        if asked == "auto":
            return "bf16" if native else "fp32"
        if asked == "bf16" and not native:
            raise BackendError(f"{torch.cuda.get_device_name()} has no bf16", "Use --precision fp32.")
        if asked == "tf32" and torch.cuda.get_device_capability() < (8, 0):
            raise BackendError(f"{torch.cuda.get_device_name()} has no TF32", "Use --precision fp32.")
        return asked

    def start(self, job: Job) -> CudaWorker:
        """Put a job on the GPU."""
        if job.threads is not None:
            torch.set_num_threads(job.threads)
        _set_arithmetic(job)
        return CudaWorker(job, torch.device("cuda", torch.cuda.current_device()), eval_batch=EVAL_BATCH)


class CudaWorker(TorchWorker):
    """The shared step on a GPU. An epoch's plan goes over in one asynchronous copy, so that no step waits for it."""

    def begin_epoch(self, plan: Sequence[Tensor]) -> None:
        """Take the plan of an epoch to the device."""
        super().begin_epoch([rows.pin_memory() for rows in plan])


def _set_arithmetic(job: Job) -> None:
    """Switches of PyTorch's that are global to a process: which algorithms and which arithmetic it may choose."""
    tf32 = "tf32" if job.precision == "tf32" else "ieee"
    # Also those that nothing here uses: PyTorch's older switch, which other code may read, refuses to answer for a mixture.
    parts: list[Any] = [torch.backends.cudnn.conv, torch.backends.cudnn.rnn, torch.backends.cuda.matmul]  # type: ignore[attr-defined]
    for part in parts:
        part.fp32_precision = tf32
    torch.backends.cudnn.benchmark = not job.deterministic
    torch.backends.cudnn.deterministic = job.deterministic
    if job.deterministic:
        # cuBLAS is deterministic only with a fixed workspace, asked for before its first use.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(job.deterministic)
