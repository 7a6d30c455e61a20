"""Weights with everything that must travel with them, so that no graph or input of another kind is fed to them in silence."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from rescli.models.spec import Spec

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class Preprocessing:
    """How pixels (0..255, RGB) become the network's input: x = (pixels / divisor - mean) / std.

    `mean` is float32 [3], or [H, W, 3] for a mean image; `std` float32 [3]. `source` says in words where that is known from.
    """

    divisor: float
    mean: npt.NDArray[np.float32]
    std: npt.NDArray[np.float32]
    source: str

    def __post_init__(self) -> None:
        assert self.mean.shape == (3,) or (self.mean.ndim == 3 and self.mean.shape[2] == 3), self.mean.shape
        assert self.std.shape == (3,), self.std.shape


@dataclass(frozen=True, kw_only=True, eq=False)
class Bundle:
    """A network with weights: `tensors` are float32 arrays under rescli's names (those of the module's state_dict).

    `preprocessing` is None where nobody said what the inputs looked like. `origin` tells where the weights come from
    (JSON values: file, sha256, layout, and what was converted).
    """

    spec: Spec
    tensors: Mapping[str, Array]
    preprocessing: Preprocessing | None
    origin: Mapping[str, Any] = field(default_factory=dict)


def channels(mean: tuple[float, ...], std: tuple[float, ...], *, divisor: float = 255.0, source: str) -> Preprocessing:
    """A normalization by channel."""
    return Preprocessing(
        divisor=divisor, mean=np.asarray(mean, np.float32), std=np.asarray(std, np.float32), source=source
    )


NORMALIZATIONS: Mapping[str, Preprocessing] = {
    "imagenet": channels((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), source="imagenet"),
    "cifar10": channels((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010), source="cifar10"),
    "caffe": channels((123.68, 116.779, 103.939), (1.0, 1.0, 1.0), divisor=1.0, source="caffe"),
    "none": channels((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), source="none"),
}
"""By the name that `--normalize` takes: torchvision's, CIFAR-10's usual one, the original nets' (0..255), pixels / 255."""
