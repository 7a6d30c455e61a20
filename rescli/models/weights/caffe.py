"""The original nets' own names and habits (Caffe), out of a dump of their blobs.

`res3b1_branch2a` is a convolution, `bn3b1_branch2a` its BN without weights (mean, variance, and a factor that divides both),
`scale3b1_branch2a` the BN's weight and bias. The nets take BGR images in 0..255.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rescli.errors import DataError
from rescli.models.weights.bundle import NORMALIZATIONS, Array, Preprocessing

_BLOCK = r"(?P<stage>[2-5])(?P<block>b\d+|[a-z])_branch(?P<branch>1|2[abc])"
_KEY = re.compile(
    rf"(?:data/)?(?P<layer>conv1|bn_conv1|scale_conv1|fc1000|(?:res|bn|scale){_BLOCK})[/._:](?P<blob>\w+)"
)
_MEAN = re.compile(r"(?:data/)?(?:mean|mean_image)(?:[/._:]0)?")
_WORDS = {
    "res": {"0": "weight", "1": "bias", "weight": "weight", "weights": "weight", "bias": "bias"},
    "bn": {
        "0": "running_mean",
        "1": "running_var",
        "2": "factor",
        "mean": "running_mean",
        "variance": "running_var",
        "var": "running_var",
        "scale_factor": "factor",
        "factor": "factor",
    },
    "scale": {"0": "weight", "1": "bias", "weight": "weight", "gamma": "weight", "bias": "bias", "beta": "bias"},
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Caffe:
    """The tensors under our names, `names` from ours to the dump's, and the normalization."""

    tensors: Mapping[str, Array]
    names: Mapping[str, str]
    inputs: Preprocessing


def is_caffe(name: str) -> bool:
    """Whether a key is one of these nets' alone."""
    return re.match(r"(?:data/)?(?:res[2-5][a-z]|bn_conv1|scale_conv1)", name) is not None


def convert(found: Mapping[str, Array]) -> Caffe:
    """The blobs of a dump under our names. Raises `DataError` naming a key that is none of these nets'."""
    tensors: dict[str, Array] = {}
    names: dict[str, str] = {}
    factors: dict[str, float] = {}
    mean: Array | None = None
    for key, value in found.items():
        if _MEAN.fullmatch(key):
            mean = value
            continue
        ours = _ours(key)
        if ours is None:
            raise DataError(f"the Caffe dump has the key {key!r}, which is no blob of these nets")
        if ours.endswith(".factor"):
            factors[ours.removesuffix(".factor")] = _factor(key, value)
        else:
            tensors[ours], names[ours] = value, key
    for norm, factor in factors.items():
        for part in ("running_mean", "running_var"):
            name = f"{norm}.{part}"
            if name in tensors:
                tensors[name] = (tensors[name] * np.float32(0 if factor == 0 else 1 / factor)).astype(np.float32)
    first = tensors.get("conv1.weight")
    if first is not None and first.ndim == 4:
        tensors["conv1.weight"] = np.ascontiguousarray(first[:, ::-1])
    head = tensors.get("fc.weight")
    if head is not None and head.ndim == 4:  # Caffe once wrote matrices as [1, 1, out, in]
        tensors["fc.weight"] = head.reshape(head.shape[2:])
    return Caffe(tensors=tensors, names=names, inputs=_inputs(mean))


def _ours(key: str) -> str | None:
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    layer = match["layer"]
    kind = "bn" if layer.startswith("bn") else "scale" if layer.startswith("scale") else "res"
    word = _WORDS[kind].get(match["blob"])
    if word is None:
        return None
    if match["stage"] is None:
        module = {"conv1": "conv1", "fc1000": "fc"}.get(layer, "bn1")
        return f"{module}.{word}"
    block, branch = match["block"], match["branch"]
    index = int(block[1:]) if len(block) > 1 else ord(block) - ord("a")
    place = f"layer{int(match['stage']) - 1}.{index}"
    if branch == "1":
        return f"{place}.downsample.{0 if kind == 'res' else 1}.{word}"
    number = "abc".index(branch[1]) + 1
    return f"{place}.{'conv' if kind == 'res' else 'bn'}{number}.{word}"


def _factor(key: str, value: Array) -> float:
    if value.size != 1:
        raise DataError(f"the Caffe dump's {key} should be one number, not of shape {value.shape}")
    return float(value.reshape(())[()])


def _inputs(mean: Array | None) -> Preprocessing:
    if mean is None:
        return NORMALIZATIONS["caffe"]
    mean = mean.reshape(mean.shape[-3:]) if mean.ndim == 4 else mean
    if mean.shape == (3,):
        mean = mean[::-1]
    elif mean.ndim == 3 and mean.shape[0] == 3:
        mean = mean[::-1].transpose(1, 2, 0)
    else:
        raise DataError(f"the Caffe dump's mean has the shape {mean.shape}, not [3] or [3, H, W]")
    return Preprocessing(
        divisor=1.0, mean=np.ascontiguousarray(mean, np.float32), std=np.ones(3, np.float32), source="the dump's mean"
    )
