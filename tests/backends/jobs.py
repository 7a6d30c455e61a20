"""A small job on the built-in images, and its first steps: what tests of backends and engine share."""

from __future__ import annotations

from typing import Any

import pytest

from rescli.backends.base import Job, Sgd
from rescli.backends.worker import TorchWorker
from rescli.data import synthetic
from rescli.data.feed import ResidentImages
from rescli.data.mean import mean_image
from rescli.data.order import Order
from rescli.models.build import build
from rescli.models.cifar import cifar_spec

SGD = Sgd(momentum=0.9, momentum_form="pytorch", weight_decay=1e-4, decay="all")


@pytest.fixture(scope="module")
def images() -> Any:
    whole = synthetic.make()
    return whole.train[:96], whole.test[:50]


def job(images: Any, **values: Any) -> Job:
    train, test = images
    mean = mean_image(train.images)
    feeds = {"train": ResidentImages(train, mean), "test": ResidentImages(test, mean)}
    return Job(
        **{"network": build(cifar_spec(8)), "feeds": feeds, "classes": 10, "precision": "fp32", "sgd": SGD, **values}
    )


def steps(worker: TorchWorker, images: Any, first: int = 0, last: int = 3) -> None:
    plan = worker.feeds["train"].plan_tensors(Order(96, 0).epoch(0))  # type: ignore[operator]
    worker.begin_epoch(plan)
    for step in range(first, last):
        worker.train_step(step, 32 * step, 32 * (step + 1), 0.1)
