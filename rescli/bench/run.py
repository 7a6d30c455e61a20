"""Training and evaluation of CIFAR nets against the plain loop, pair by pair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from rescli.backends.base import Job, Sgd, Worker
from rescli.backends.registry import choose
from rescli.bench.clock import PeakMemory, seconds
from rescli.bench.limit import bandwidth, matrix_rate
from rescli.bench.pairs import Duel, Spread, duel
from rescli.bench.plain import PlainLoop, check_batch
from rescli.data.dataset import Images
from rescli.data.feed import ResidentImages
from rescli.data.mean import mean_image
from rescli.data.order import Order
from rescli.data.read import load
from rescli.engine.prepare import precision_of, start_job
from rescli.models.build import build
from rescli.models.cifar import cifar_spec
from rescli.models.names import label
from rescli.models.spec import NetworkSpec
from rescli.profiling.cost import cost

PASSES = {"train": 3, "eval": 1}
"""Multiply-adds of a training step per forward pass: forward, and backward to inputs and weights."""
TOUCHES = 2
"""In each of these passes every output of a convolution is written and read at least once."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is measured: `pairs` samples of `steps` training steps each, or of testing `images` images."""

    what: str
    batch_size: int = 128
    steps: int = 10
    images: int = 2000
    pairs: int = 7
    workers: int = 2
    dataset: str = "synthetic"
    backend: str = "auto"
    precision: str = "auto"
    threads: int | None = None


@dataclass(frozen=True, kw_only=True)
class Result:
    """One net's figures. Rates in images a second; `limit` in FLOPs a second, `bandwidth` in bytes a second.

    `flops` and `bytes` are what an image needs at least; `memory` in bytes, None where it is not known.
    """

    setting: Setting
    network: str
    backend: str
    device: str
    precision: str
    images: int
    duel: Duel
    flops: float
    limit: float
    bytes: float
    bandwidth: float
    memory: int | None

    @property
    def ours(self) -> Spread:
        """Our rate."""
        return self.duel.rates(self.images)[0]

    @property
    def theirs(self) -> Spread:
        """The plain loop's rate."""
        return self.duel.rates(self.images)[1]

    @property
    def share(self) -> float:
        """Our FLOPs a second over those of a large matrix product in the same precision."""
        return self.ours.median * self.flops / self.limit

    @property
    def share_of_bandwidth(self) -> float:
        """Our necessary bytes a second over those of a large copy."""
        return self.ours.median * self.bytes / self.bandwidth

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "network": self.network,
            "what": self.setting.what,
            "backend": self.backend,
            "device": self.device,
            "precision": self.precision,
            "batch_size": self.setting.batch_size,
            "images_per_sample": self.images,
            "images_per_second": self.ours.to_dict(),
            "plain_images_per_second": self.theirs.to_dict(),
            "ratio": self.duel.ratio().to_dict(),
            "flops_per_image": self.flops,
            "matrix_flops_per_second": self.limit,
            "share_of_matrix_rate": self.share,
            "bytes_per_image": self.bytes,
            "copied_bytes_per_second": self.bandwidth,
            "share_of_bandwidth": self.share_of_bandwidth,
            "peak_memory_bytes": self.memory,
            "seconds": {"ours": list(self.duel.ours), "plain": list(self.duel.theirs)},
        }


def measure(depths: list[int], setting: Setting) -> Iterator[Result]:
    """Each net in turn. Raises `UsageError` for an impossible depth, `DataError`, and `BackendError`."""
    backend = choose(setting.backend)
    precision = precision_of(backend, setting.precision)
    dataset = load(setting.dataset)
    if setting.what == "train":
        check_batch(setting.batch_size, dataset.train)
    images = dataset.train if setting.what == "train" else dataset.test[: setting.images]
    specs = [cifar_spec(depth, shortcut="A", classes=len(dataset.classes)) for depth in depths]
    for spec in specs:
        yield _measure(spec, images, setting, precision)


def _measure(spec: NetworkSpec, images: Images, setting: Setting, precision: str) -> Result:
    """One net. What it needs is given back before the next one begins."""
    backend = choose(setting.backend)
    kind = "cuda" if backend.name == "cuda" else "cpu"
    peak = PeakMemory(kind)
    worker = worker_for(spec, images, setting, precision)
    if setting.what == "train":
        ours, amount = training(worker, images, setting, kind), setting.steps * setting.batch_size
    else:
        ours, amount = evaluating(worker, kind), len(images)
    ours()  # starts up what the first step starts up, before the rival takes memory of its own
    memory = peak.read()
    plain = PlainLoop(spec, images, batch_size=setting.batch_size, workers=setting.workers, device=kind)
    theirs = (lambda loop=plain: loop.steps(setting.steps)) if setting.what == "train" else plain.evaluate
    fight = duel(ours, theirs, pairs=setting.pairs)
    return Result(
        setting=setting,
        network=label(spec),
        backend=backend.name,
        device=backend.device().name,
        precision=precision,
        images=amount,
        duel=fight,
        flops=2.0 * cost(spec).macs * PASSES[setting.what],
        limit=matrix_rate(precision, kind),
        bytes=float(TOUCHES * PASSES[setting.what] * cost(spec).activations * (2 if precision == "bf16" else 4)),
        bandwidth=bandwidth(kind),
        memory=memory,
    )


def worker_for(spec: NetworkSpec, images: Images, setting: Setting, precision: str) -> Worker:
    """Our side, on the device."""
    feed, training = ResidentImages(images, mean_image(images.images)), setting.what == "train"
    job = Job(
        network=build(spec),
        feeds={"train" if training else "test": feed},
        classes=spec.classes,
        precision=precision,
        sgd=Sgd(momentum=0.9, momentum_form="pytorch", weight_decay=1e-4, decay="all") if training else None,
        threads=setting.threads,
    )
    return start_job(choose(setting.backend), job)


def training(worker: Worker, images: Images, setting: Setting, device: str) -> Callable[[], float]:
    """Steps on the epochs that training would see, crops and flips included."""
    order, state = Order(len(images), 0), {"epoch": -1, "step": 0, "iteration": 0}
    feed = ResidentImages(images, np.zeros(images.images.shape[1:], np.float32))
    per_epoch = len(images) // setting.batch_size

    def steps() -> None:
        for _ in range(setting.steps):
            if state["epoch"] < 0 or state["step"] == per_epoch:
                state["epoch"], state["step"] = state["epoch"] + 1, 0
                worker.begin_epoch(feed.plan_tensors(order.epoch(state["epoch"])))
            first = state["step"] * setting.batch_size
            worker.train_step(state["iteration"], first, first + setting.batch_size, 0.1)
            state["step"] += 1
            state["iteration"] += 1
        worker.totals()  # waits for the device

    return lambda: seconds(steps, device)


def evaluating(worker: Worker, device: str) -> Callable[[], float]:
    """Seconds of testing all images."""
    return lambda: seconds(lambda: worker.evaluate("test"), device)
