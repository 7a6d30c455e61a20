"""An NVIDIA GPU: images and augmentation on the device, channels-last, bf16 or TF32, and no waiting for Python."""

from __future__ import annotations

import os
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rescli.backends.base import Device, Job, Look, State, Tally, Totals
from rescli.backends.capture import Replayed
from rescli.backends.examination import Examination
from rescli.backends.step import TrainingStep
from rescli.backends.worker import TorchWorker
from rescli.errors import BackendError

EVAL_BATCH = 1000
AHEAD = 4
"""Plans on their way to the device at the most: each brings a batch of photographs along, in memory that is pinned."""

# cuBLAS is deterministic only with a fixed workspace, and PyTorch looks once in a process, at the first product, whether it has
# one: so also where the first job need not be deterministic. The size is what PyTorch takes by itself on Hopper.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


class CudaBackend:
    """The current CUDA device."""

    name: ClassVar[str] = "cuda"
    distributed: ClassVar[bool] = True

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

    def jpeg_decoder(self) -> torch.device:
        """The GPU itself, with nvJPEG. Raises `BackendError` where that is missing."""
        from rescli.data.gpu import check_decoder  # loads torchvision, which nets for CIFAR do without

        device = torch.device("cuda", torch.cuda.current_device())
        check_decoder(device)
        return device

    def start(self, job: Job) -> CudaWorker:
        """Put a job on the GPU."""
        if job.threads is not None:
            torch.set_num_threads(job.threads)
        _set_arithmetic(job)
        # Compiling takes longer than one evaluation; and a block that is computed again in the backward pass would have to
        # be compiled together with that.
        worth_it = job.sgd is not None and not job.checkpoint_activations
        compiled = worth_it if job.compile is None else job.compile
        device = torch.device("cuda", torch.cuda.current_device())
        return CudaWorker(job, device, eval_batch=EVAL_BATCH, compiled=compiled)


class CudaWorker(TorchWorker):
    """The shared step on a GPU, on a stream of its own, replayed as a CUDA graph.

    Steps of several workers, such as those of several seeds, run side by side where each leaves room on the GPU.
    """

    def __init__(self, job: Job, device: torch.device, *, eval_batch: int, compiled: bool) -> None:
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._pool = torch.cuda.graph_pool_handle()
        self._sending: deque[Any] = deque()
        self._tuned = not job.deterministic
        super().__init__(job, device, eval_batch=eval_batch, compiled=compiled)
        torch.cuda.synchronize(device)  # all that was made here was made on another stream
        self._steps: Replayed | None = None
        self._tests: dict[Examination, Replayed] = {}

    def begin_epoch(self, plan: Sequence[Tensor]) -> None:
        """Take the plan of an epoch to the device, in one asynchronous copy: no step waits for it."""
        with torch.cuda.stream(self.stream):
            super().begin_epoch(self._sent(plan))

    def train_step(self, iteration: int, start: int, stop: int, learning_rate: float) -> None:
        """One iteration of SGD."""
        with torch.cuda.stream(self.stream):
            super().train_step(iteration, start, stop, learning_rate)

    def _run(self, step: TrainingStep, images: int) -> None:
        if self._steps is None:
            self._steps = Replayed(step, self._record, "the training step")
        self._steps(images)

    def differentiate(self, start: int, stop: int) -> None:
        """Loss and gradients of rows of the plan, as written: for hooks to look at."""
        with torch.cuda.stream(self.stream):
            super().differentiate(start, stop)
        torch.cuda.current_stream(self.device).wait_stream(self.stream)  # what the hooks found is read there

    def totals(self) -> Totals:
        """The sums so far, over all processes. Waits for this worker's stream."""
        with torch.cuda.stream(self.stream):
            return super().totals()

    def average_statistics(self, plans: Iterable[Sequence[Tensor]], stop: Callable[[], bool] = lambda: False) -> bool:
        """BN's true averages over batches. Waits for this worker's stream."""
        with torch.cuda.stream(self.stream):
            return super().average_statistics(plans, stop)

    def evaluate(
        self,
        split: str,
        stop: Callable[[], bool] = lambda: False,
        plans: Iterable[Sequence[Tensor]] | None = None,
    ) -> Tally | None:
        """Loss and errors of every image of `split`. Waits for this worker's stream."""
        with torch.cuda.stream(self.stream):
            return super().evaluate(split, stop, plans)

    def scores(self, split: str, pixels: npt.NDArray[np.uint8], look: Look) -> npt.NDArray[np.float64]:
        """Mean scores of the views of each image. Whole images have too many shapes to try every algorithm for each."""
        torch.backends.cudnn.benchmark = self._tuned and look.pooling is None
        return super().scores(split, pixels, look)

    def close(self) -> None:
        """Let go of all recordings: NCCL ends only when no graph holds a call to it any more.

        Does not wait for the device, which after the death of another process waits for that for ever.
        """
        for recording in (self._steps, *self._tests.values()):
            if recording is not None:  # somebody may hold it still: an error's traceback
                recording.forget()
        self._steps = None
        self._tests.clear()

    def _sent(self, plan: Sequence[Tensor]) -> Sequence[Tensor]:
        """Copies that the device fetches by itself, while the caller may write over the plan; what lies there stays there.

        Where every batch has a plan of its own, the host waits until the device is near: else plans would fill its memory.
        """
        before = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        before.record(self.stream)
        self._sending.append(before)
        if len(self._sending) > AHEAD:
            self._sending.popleft().synchronize()
        for rows in plan:
            if rows.is_cuda:
                rows.record_stream(self.stream)  # it was made on another: its memory is free when this one has read it
        return [rows if rows.is_cuda else rows.pin_memory() for rows in plan]

    def _look(self, examination: Examination, images: int) -> None:
        if not examination.settled:  # hooks are Python, which a replay would leave out
            examination(images)
            return
        if examination not in self._tests:
            self._tests[examination] = Replayed(examination, self._record, "the evaluation")
        self._tests[examination](images)

    def state(self) -> State:
        """Copies on the host. Waits for this worker's stream."""
        with torch.cuda.stream(self.stream):
            return super().state()

    def load(self, state: State) -> None:
        """Go on from `state`."""
        with torch.cuda.stream(self.stream):
            super().load(state)

    def _record(self, body: Callable[[], None]) -> Callable[[], None]:
        """A CUDA graph of `body`. Other threads, such as the one that writes checkpoints, may use CUDA meanwhile."""
        graph = torch.cuda.CUDAGraph()
        self.stream.synchronize()
        with torch.cuda.graph(graph, pool=self._pool, stream=self.stream, capture_error_mode="thread_local"):
            body()
        return graph.replay


def _set_arithmetic(job: Job) -> None:
    """Switches of PyTorch's that are global to a process: which algorithms and which arithmetic it may choose."""
    tf32 = "tf32" if job.precision == "tf32" else "ieee"
    convolve_in(tf32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.set_float32_matmul_precision("high" if tf32 == "tf32" else "highest")
    torch.backends.cuda.matmul.fp32_precision = tf32
    torch.backends.cudnn.benchmark = not job.deterministic
    torch.backends.cudnn.deterministic = job.deterministic
    torch.use_deterministic_algorithms(job.deterministic)
    # On the stream that is current, it would fill images while nvJPEG, on a stream of its own, decodes into them.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def convolve_in(precision: str) -> None:
    """How cuDNN computes with fp32, "tf32" or "ieee".

    By PyTorch's newer switches and by its older one, which its compiler reads, too: it refuses to answer where they differ.
    """
    with warnings.catch_warnings():  # of the versions without the older one
        warnings.simplefilter("ignore")
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
    parts: list[Any] = [torch.backends.cudnn.conv, torch.backends.cudnn.rnn]  # type: ignore[attr-defined]
    for part in parts:  # last, for the older one leaves them to what is inherited
        part.fp32_precision = precision
