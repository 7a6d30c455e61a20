"""Do gradients vanish? "[...] this optimization difficulty is unlikely to be caused by vanishing gradients" (Sec. 4.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.analysis.plot import Line, Panel, Plot, distinct
from rescli.analysis.points import Point, weighted
from rescli.analysis.subject import Wishes, open_subject
from rescli.analysis.table import deviation
from rescli.backends.probes import GradientProbe, ResponseProbe
from rescli.errors import RescliError, UsageError
from rescli.models.names import label, title

FAR_APART = 20
"""Largest norms of two nets that differ by more than this factor are drawn on a logarithmic scale."""

VANISHED = 1e-3
"""A layer's gradient counts as vanished below this part of the largest one; the paper gives no number."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One layer. Norms float64 [batches] of the gradient of a batch's mean loss: to the weights, and to the layer's response
    (the whole batch's). `variance` is that of the response in training mode, over all batches.
    """

    point: Point
    weight: npt.NDArray[np.float64]
    output: npt.NDArray[np.float64]
    variance: float

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "layer": self.point.layer,
            "kind": self.point.kind,
            "stage": self.point.stage,
            "weight_gradient": {"mean": float(self.weight.mean()), "std": deviation(self.weight.tolist())},
            "output_gradient": {"mean": float(self.output.mean()), "std": deviation(self.output.tolist())},
            "forward_variance": self.variance,
        }


@dataclass(frozen=True, kw_only=True, eq=False)
class Gradients:
    """Of every layer of one net with weights."""

    what: str
    label: str
    network: str
    dataset: str
    split: str
    batches: int
    batch_size: int
    iteration: int | None
    precision: str
    layers: tuple[Layer, ...]

    @property
    def smallest(self) -> tuple[str, float]:
        """The layer with the smallest mean norm of its weights' gradient, and that norm over the largest one."""
        means = np.array([layer.weight.mean() for layer in self.layers])
        least = int(means.argmin())
        return self.layers[least].point.layer, float(means[least] / means.max())

    @property
    def silent(self) -> tuple[str, ...]:
        """The layers whose responses are all alike: the paper's "non-zero variances" are those of forward signals."""
        return tuple(layer.point.layer for layer in self.layers if not layer.variance > 0)

    @property
    def healthy(self) -> bool:
        """Whether no layer's gradient has vanished (`VANISHED`), nor its forward signal."""
        return self.smallest[1] > VANISHED and not self.silent

    def to_dict(self) -> dict[str, Any]:
        """As a JSON document."""
        name, ratio = self.smallest
        return {
            "run": self.what,
            "label": self.label,
            "network": self.network,
            "dataset": self.dataset,
            "split": self.split,
            "batches": self.batches,
            "batch_size": self.batch_size,
            "iteration": self.iteration,
            "precision": self.precision,
            "smallest": {"layer": name, "of_the_largest": ratio},
            "healthy": self.healthy,
            "layers": [layer.to_dict() for layer in self.layers],
        }


def without_variance(found: Gradients) -> str:
    """To stand behind the smallest gradient where layers are silent; else empty."""
    names = f"{', '.join(found.silent[:5])}{' ...' if len(found.silent) > 5 else ''}"
    return f"; without forward variance: {names}" if found.silent else ""


def gradients(what: str, wishes: Wishes, *, batches: int = 8, batch_size: int = 128) -> Gradients:
    """Forward and backward `batches` batches as in training (order, crops, BN over the batch), without a step.

    Raises as `open_subject` does, `UsageError` where there are too few images, and `RescliError` for gradients that are not
    finite.
    """
    subject = open_subject(what, wishes)
    subject.check_labels()
    images = len(subject.feed)
    if images < batches * batch_size:
        raise UsageError(
            f"{batches} batches of {batch_size} are {batches * batch_size:,} images; there are {images:,}",
            "Ask for fewer: --batches, --batch-size.",
        )
    module, places = subject.module(), weighted(subject.spec)
    outputs = [place.output for place in places]
    backward = GradientProbe(module, [place.layer for place in places], outputs)
    forward = ResponseProbe(module, outputs)
    worker = subject.start(module, name="train")
    worker.begin_epoch(subject.epoch())
    for number in range(batches):
        worker.differentiate(number * batch_size, (number + 1) * batch_size)
    weights, responses = backward.read()
    moments = forward.read()
    layers = tuple(
        Layer(
            point=place,
            weight=weights[place.layer],
            output=responses[place.output],
            variance=moments[place.output].pooled()[1] ** 2,
        )
        for place in places
    )
    bad = [layer.point.layer for layer in layers if not np.isfinite([*layer.weight, *layer.output]).all()]
    if bad:
        raise RescliError(
            f"{what}: the gradients of {bad[-1]} are not finite", "The net has diverged, or its inputs are off."
        )
    return Gradients(
        what=what,
        label=label(subject.spec) + (" at initialization" if subject.initial else ""),
        network=title(subject.spec),
        dataset=subject.dataset,
        split=subject.split,
        batches=batches,
        batch_size=batch_size,
        iteration=subject.iteration,
        precision=subject.precision,
        layers=layers,
    )


def gradients_plot(found: Sequence[Gradients]) -> Plot:
    """Norms and forward variance against the layer, convolutions of the main path alone; the spread over batches as a band."""
    weight = _panel(found, "gradient norm of weights", lambda layer: layer.weight, log=True)
    output = _panel(found, "gradient norm of responses", lambda layer: layer.output, log=True)
    variance = _panel(found, "variance of responses", lambda layer: np.array([layer.variance]), log=False)
    return Plot(panels=(weight, output, variance))


def _panel(
    found: Sequence[Gradients], name: str, values: Callable[[Layer], npt.NDArray[np.float64]], *, log: bool
) -> Panel:
    lines = []
    for group, one in zip(distinct((one.label, one.what) for one in found), found, strict=True):
        layers = [layer for layer in one.layers if layer.point.kind == "conv"]
        lines.append(
            Line(
                label=group,
                group=group,
                what=name,
                source=one.what,
                x=np.arange(1, len(layers) + 1),
                y=np.array([values(layer).mean() for layer in layers]),
                spread=np.array([deviation(values(layer).tolist()) for layer in layers]) if log else None,
                style="dashed" if one.label.startswith("plain") else "solid",
                names=[layer.point.layer for layer in layers],
            )
        )
    tops = [float(line.y.max()) for line in lines]
    log = log or max(tops) > FAR_APART * min(tops)  # on one linear scale the smaller nets' lines would be flat
    return Panel(
        name=name,
        x_label="layer index",
        y_label=name,
        lines=tuple(lines),
        x_limits=(0, max(len(line.x) for line in lines) + 1),
        y_limits=None if log else (0.0, 1.05 * max(tops)),
        log=log,
    )
