"""Training and evaluation of CIFAR nets against the plain loop, pair by pair."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from rescli.backends.base import Job, Sgd, Worker
from rescli.backends.registry import choose
from rescli.bench.limit import matrix_rate
from rescli.bench.pairs import Duel, Spread, duel
from rescli.bench.plain import PlainLoop
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
    """One net's figures. Rates in images a second; `limit` in FLOPs a second."""

    setting: Setting
    network: str
    backend: str
    device: str
    precision: str
    images: int
    duel: Duel
    flops: float
    limit: float

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
            "seconds": {"ours": list(self.duel.ours), "plain": list(self.duel.theirs)},
        }


def measure(depths: list[int], setting: Setting) -> Iterator[Result]:
    """Each net in turn. Raises `UsageError` for an impossible depth, `DataError`, and `BackendError`."""
    backend = choose(setting.backend)
    precision = precision_of(backend, setting.precision)
    dataset = load(setting.dataset)
    images = dataset.train if setting.what == "train" else dataset.test[: setting.images]
    kind = "cuda" if backend.name == "cuda" else "cpu"
    specs = [cifar_spec(depth, shortcut="A", classes=len(dataset.classes)) for depth in depths]
    for spec in specs:
        worker = _worker(spec, images, setting, precision)
        plain = PlainLoop(spec, images, batch_size=setting.batch_size, workers=setting.workers, device=kind)
        if setting.what == "train":
            ours, amount = _training(worker, images, setting), setting.steps * setting.batch_size
            fight = duel(ours, lambda loop=plain: loop.steps(setting.steps), pairs=setting.pairs)  # type: ignore[misc]
        else:
            ours, amount = _evaluating(worker), len(images)
            fight = duel(ours, plain.evaluate, pairs=setting.pairs)
        yield Result(
            setting=setting,
            network=label(spec),
            backend=backend.name,
            device=backend.device().name,
            precision=precision,
            images=amount,
            duel=fight,
            flops=2.0 * cost(spec).macs * PASSES[setting.what],
            limit=matrix_rate(precision, kind),
        )


def _worker(spec: NetworkSpec, images: Images, setting: Setting, precision: str) -> Worker:
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


def _training(worker: Worker, images: Images, setting: Setting) -> Any:
    """Steps on the epochs that training would see, crops and flips included."""
    order, state = Order(len(images), 0), {"epoch": -1, "step": 0, "iteration": 0}
    feed = ResidentImages(images, np.zeros(images.images.shape[1:], np.float32))
    per_epoch = len(images) // setting.batch_size

    def sample() -> float:
        start = perf_counter()
        for _ in range(setting.steps):
            if state["epoch"] < 0 or state["step"] == per_epoch:
                state["epoch"], state["step"] = state["epoch"] + 1, 0
                worker.begin_epoch(feed.plan_tensors(order.epoch(state["epoch"])))
            first = state["step"] * setting.batch_size
            worker.train_step(state["iteration"], first, first + setting.batch_size, 0.1)
            state["step"] += 1
            state["iteration"] += 1
        worker.totals()  # waits for the device
        return perf_counter() - start

    return sample


def _evaluating(worker: Worker) -> Any:
    def sample() -> float:
        start = perf_counter()
        worker.evaluate("test")
        return perf_counter() - start

    return sample
