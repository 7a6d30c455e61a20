"""Batches without a network: our gather, crop and flip beside a DataLoader with PIL transforms."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import torch

from rescli.backends.registry import choose
from rescli.bench.clock import seconds
from rescli.bench.pairs import duel
from rescli.bench.plain import PlainLoop, check_batch
from rescli.bench.versus import Versus
from rescli.data.feed import ResidentImages
from rescli.data.mean import mean_image
from rescli.data.order import Order
from rescli.data.read import load
from rescli.models.cifar import cifar_spec


def measure_data(*, dataset: str, backend: str, batch_size: int, batches: int, pairs: int, workers: int) -> Versus:
    """Images a second of `batches` augmented training batches. Raises `DataError` and `BackendError`."""
    chosen = choose(backend)
    device = "cuda" if chosen.name == "cuda" else "cpu"
    images = load(dataset).train
    check_batch(batch_size, images)
    feed = ResidentImages(images, mean_image(images.images)).to(device)
    order, per_epoch = Order(len(images), 0), len(images) // batch_size
    loop = PlainLoop(cifar_spec(8), images, batch_size=batch_size, workers=workers, device=device)
    made = iter(range(10**9))

    def ours() -> None:
        plan: tuple[torch.Tensor, ...] = ()
        for _ in range(batches):
            epoch, step = divmod(next(made), per_epoch)
            if step == 0 or not plan:
                plan = tuple(rows.to(device) for rows in feed.plan_tensors(order.epoch(epoch)))
            feed(*(rows[step * batch_size : (step + 1) * batch_size] for rows in plan))

    def theirs() -> float:
        start = perf_counter()
        for _ in range(batches):
            x, _ = loop.batch()
        assert np.isfinite(float(x.sum()))  # waits for the device
        return perf_counter() - start

    return Versus(
        what=f"batches of {batch_size}",
        amount=batches * batch_size,
        unit="images/s",
        duel=duel(lambda: seconds(ours, device), theirs, pairs=pairs),
        rival=f"DataLoader, {workers} workers, PIL",
        extra={"device": chosen.device().name, "dataset": dataset},
    )
