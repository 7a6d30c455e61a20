"""Layer responses: "standard deviations (std) of layer responses on CIFAR-10" (Sec. 4.2, Fig. 7)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rescli.analysis.points import Point, points
from rescli.analysis.subject import Subject, Wishes, open_subject
from rescli.backends.probes import Moments, ResponseProbe
from rescli.errors import RescliError, StoreError
from rescli.models.names import label, title
from rescli.models.weights.digest import digest
from rescli.store.annotate import save_analysis
from rescli.store.network import holds_network, is_store
from rescli.store.reader import read_run

SCHEMA = 2
"""1: of ImageNet runs, whose mean image was not subtracted."""
DEFINITION = "output of each 3x3 layer after BN, before ReLU or addition; over all images, channels and positions"


@dataclass(frozen=True, kw_only=True, eq=False)
class Layer:
    """One layer's responses. `std` and `mean` are over everything, `channel_std` float64 [channels] channel by channel."""

    point: Point
    mean: float
    std: float
    channel_mean: npt.NDArray[np.float64]
    channel_std: npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Responses:
    """Of every 3x3 layer of one net. `iteration` is None for weights that are no run; `statistics` are what BN used.

    `weights` is a digest of the tensors that were measured, `images_sha256` one of the photographs, None for a data set;
    `saved` says that the figures come from the store.
    """

    what: str
    label: str
    network: str
    dataset: str
    split: str
    images: int
    iteration: int | None
    precision: str
    statistics: str
    weights: str
    layers: tuple[Layer, ...]
    images_sha256: str | None = None
    saved: bool = False

    @property
    def std(self) -> npt.NDArray[np.float64]:
        """The points of Fig. 7 in layer order, float64 [layers]."""
        return np.array([layer.std for layer in self.layers])

    @property
    def median(self) -> float:
        """Of the standard deviations."""
        return float(np.median(self.std))

    def to_dict(self, *, channels: bool = False) -> dict[str, Any]:
        """As a JSON document."""
        return {
            "run": self.what,
            "label": self.label,
            "network": self.network,
            "dataset": self.dataset,
            "split": self.split,
            "images": self.images,
            "iteration": self.iteration,
            "precision": self.precision,
            "bn_statistics": self.statistics,
            "definition": DEFINITION,
            "median_std": self.median,
            "layers": [
                {
                    "number": number,
                    "layer": layer.point.layer,
                    "stage": layer.point.stage,
                    "std": layer.std,
                    "mean": layer.mean,
                    **({"channel_std": layer.channel_std.tolist()} if channels else {}),
                }
                for number, layer in enumerate(self.layers, start=1)
            ],
        }


def responses(what: str, wishes: Wishes, *, reuse: bool = True) -> Responses:
    """Measure the layer responses of the net that `what` names over the images that `wishes` names.

    Every image passes through the net once, in evaluation mode; sums are float64 and in one pass, so memory does not grow with
    the number of images. What a run store holds of the same weights and images is taken from there, if `reuse`.
    Raises as `open_subject` does, and `RescliError` where a response is not a finite number.
    """
    subject = open_subject(what, wishes)
    saved = _saved(subject) if reuse else None
    if saved is not None:
        return saved
    places = points(subject.spec)
    module = subject.module()
    probe = ResponseProbe(module, [place.output for place in places])
    tally = subject.start(module, name=subject.split).evaluate(subject.split)
    assert tally is not None
    return _result(subject, places, probe.read(), images=int(tally.images.sum()))


def _result(subject: Subject, places: tuple[Point, ...], moments: Mapping[str, Moments], *, images: int) -> Responses:
    layers = []
    for place in places:
        found = moments[place.output]
        mean, std = found.pooled()
        if not np.isfinite(std):
            raise RescliError(
                f"{subject.what}: the responses of {place.layer} are not finite",
                "The weights, or their normalization, are not those of a trained net.",
            )
        layers.append(Layer(point=place, mean=mean, std=std, channel_mean=found.mean, channel_std=found.by_channel()))
    return _described(subject, tuple(layers), images=images)


def _described(subject: Subject, layers: tuple[Layer, ...], *, images: int, saved: bool = False) -> Responses:
    return Responses(
        what=subject.what,
        label=label(subject.spec) + (" at initialization" if subject.initial else ""),
        network=title(subject.spec),
        dataset=subject.dataset,
        split=subject.split,
        images=images,
        iteration=subject.iteration,
        precision=subject.precision,
        statistics="batch" if subject.initial else "running",
        weights=digest(subject.bundle.tensors),
        layers=layers,
        images_sha256=subject.images_sha256,
        saved=saved,
    )


def save(path: Path, result: Responses) -> None:
    """Keep the result in the run store that it was measured on, as /analysis/responses. Raises `StoreError`."""
    if not is_store(path) or holds_network(path):
        raise StoreError(f"{path}: is not a run store, so nothing can be saved in it", "Write a file: --data out.json.")
    save_analysis(path, "responses", to_tree(result))


def to_tree(result: Responses) -> dict[str, Any]:
    """As groups, arrays and attributes of a run store; docs/run-store.md has the schema."""
    facts = {
        "@schema": SCHEMA,
        "@definition": DEFINITION,
        "@dataset": result.dataset,
        "@split": result.split,
        "@images": result.images,
        "@iteration": -1 if result.iteration is None else result.iteration,
        "@precision": result.precision,
        "@bn_statistics": result.statistics,
        "@weights_sha256": result.weights,
        **({} if result.images_sha256 is None else {"@images_sha256": result.images_sha256}),
    }
    return {
        **facts,
        "layers": json.dumps([layer.point.layer for layer in result.layers]),
        "mean": np.array([layer.mean for layer in result.layers]),
        "std": result.std,
        "std@units": "1",
        "channels": np.array([len(layer.channel_std) for layer in result.layers]),
        "channel_mean": np.concatenate([layer.channel_mean for layer in result.layers]),
        "channel_std": np.concatenate([layer.channel_std for layer in result.layers]),
    }


def _saved(subject: Subject) -> Responses | None:
    """What the store holds, if that is of the same weights, images and arithmetic."""
    path = subject.path
    if path is None or not is_store(path) or holds_network(path):
        return None
    tree = read_run(path, tensors=False).analysis.get("responses")
    images = len(subject.feed)
    same = {
        "@schema": SCHEMA,
        "@dataset": subject.dataset,
        "@split": subject.split,
        "@images": images,
        "@precision": subject.precision,
        "@weights_sha256": digest(subject.bundle.tensors),
        "@images_sha256": subject.images_sha256,
    }
    if tree is None or any(tree.get(key) != value for key, value in same.items()):
        return None
    places = points(subject.spec)
    if json.loads(tree["layers"]) != [place.layer for place in places]:
        return None
    ends = np.cumsum(tree["channels"])
    layers = tuple(
        Layer(
            point=place,
            mean=float(tree["mean"][i]),
            std=float(tree["std"][i]),
            channel_mean=tree["channel_mean"][end - place.channels : end],
            channel_std=tree["channel_std"][end - place.channels : end],
        )
        for i, (place, end) in enumerate(zip(places, ends, strict=True))
    )
    return _described(subject, layers, images=images, saved=True)
