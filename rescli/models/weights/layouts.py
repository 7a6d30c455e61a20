"""How others name their tensors, and what else their names imply. Each layout turns a file's names into ours.

"Stated" are the forks that a file or the convention behind its names fixes; nothing here guesses beyond that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rescli.models.weights import caffe
from rescli.models.weights.bundle import NORMALIZATIONS, Array, Preprocessing

TIMM_VGG = {"pre_logits.fc1": "classifier.0", "pre_logits.fc2": "classifier.3", "head.fc": "classifier.6"}
LAYOUTS = ("auto", "torchvision", "cifar", "caffe", "rescli")


@dataclass(frozen=True, kw_only=True, eq=False)
class Converted:
    """Tensors under our names; `names` maps these to the file's. `stated` are forks, `inputs` the normalization."""

    layout: str
    tensors: Mapping[str, Array]
    names: Mapping[str, str]
    stated: Mapping[str, Any] = field(default_factory=dict)
    inputs: Preprocessing | None = None
    changed: tuple[str, ...] = ()


def detect(tensors: Mapping[str, Array]) -> str:
    """Which layout the names are of."""
    if any(caffe.is_caffe(name) for name in tensors):
        return "caffe"
    return "cifar" if "linear.weight" in tensors else "torchvision"


def convert(layout: str, tensors: Mapping[str, Array]) -> Converted:
    """The tensors of a file under our names. Raises `DataError` for a Caffe dump that makes no sense."""
    if layout == "caffe":
        found = caffe.convert(tensors)
        return Converted(
            layout=layout,
            tensors=found.tensors,
            names=found.names,
            stated={"stride_in": "1x1", "pool": "ceil", "shortcut": "B", "stem_bias": "conv1.bias" in found.tensors},
            inputs=found.inputs,
            changed=("BN and Scale joined", "BGR to RGB"),
        )
    if layout == "cifar":
        # That code pads option A's new channels on both sides and normalizes CIFAR by ImageNet's mean and std.
        stated = {"padding": "both"} if _shortcut(tensors, ".shortcut.0.weight") == "A" else {}
        return _renamed(layout, tensors, stated, NORMALIZATIONS["imagenet"])
    if layout == "torchvision" and "layer4.0.conv1.weight" in tensors:
        stated = {"stride_in": "3x3"} if "layer1.0.conv3.weight" in tensors else {}
        inputs = NORMALIZATIONS["imagenet"] if len(tensors.get("fc.bias", ())) == 1000 else None
        return _renamed(layout, tensors, {**stated, "pool": "padded"}, inputs)
    if layout == "torchvision" and "pre_logits.fc1.weight" in tensors:
        return _timm_vgg(tensors)
    if layout == "torchvision" and "classifier.6.bias" in tensors:
        return _renamed(
            layout, tensors, {}, NORMALIZATIONS["imagenet"] if len(tensors["classifier.6.bias"]) == 1000 else None
        )
    return _renamed(layout, tensors, {}, None)


def _timm_vgg(tensors: Mapping[str, Array]) -> Converted:
    """The VGG nets of timm have convolutions over the last 7x7 map for hidden fc layers: the same numbers in order."""
    inputs = NORMALIZATIONS["imagenet"] if len(tensors.get("head.fc.bias", ())) == 1000 else None
    renamed = _renamed("torchvision", tensors, {}, inputs)
    hidden = ("classifier.0.weight", "classifier.3.weight")
    flat = {name: value.reshape(len(value), -1) if name in hidden else value for name, value in renamed.tensors.items()}
    return replace(renamed, tensors=flat, changed=("fc layers as convolutions",))


def _renamed(
    layout: str, tensors: Mapping[str, Array], stated: Mapping[str, Any], inputs: Preprocessing | None
) -> Converted:
    names = {_ours(name): name for name in tensors}
    return Converted(
        layout=layout,
        tensors={ours: tensors[theirs] for ours, theirs in names.items()},
        names=names,
        stated=stated,
        inputs=inputs,
    )


def _ours(name: str) -> str:
    name = re.sub(r"^linear\.", "fc.", name)
    for theirs, ours in TIMM_VGG.items():
        name = re.sub(rf"^{re.escape(theirs)}\.", f"{ours}.", name)
    return re.sub(r"\.shortcut\.([01])\.", r".downsample.\1.", name)


def _shortcut(tensors: Mapping[str, Array], ending: str) -> str:
    return "B" if any(name.endswith(ending) for name in tensors) else "A"


def recognized(tensors: Mapping[str, Array], *, plain: bool = False) -> tuple[str | None, dict[str, Any]]:
    """The name and the forks that our names and shapes of tensors show; None where they are of no net known here."""
    heads = [tensors[name] for name in ("fc.bias", "classifier.6.bias") if name in tensors]
    shown: dict[str, Any] = {"classes": len(heads[0])} if heads else {}
    convolutions = [name for name in tensors if re.fullmatch(r"features\.\d+\.weight", name)]
    if convolutions:
        return f"vgg{len(convolutions) + 3}", shown
    counts = [len({name.split(".")[1] for name in tensors if name.startswith(f"layer{n}.")}) for n in (1, 2, 3, 4)]
    bottleneck = "layer1.0.conv3.weight" in tensors
    depth = (3 if bottleneck else 2) * sum(counts) + 2
    projections = [name for name in tensors if name.endswith("downsample.0.weight")]
    # Option B projects a bottleneck's very first block too, and no basic one before the second stage.
    everywhere = f"layer1.{1 if bottleneck else 0}.downsample.0.weight" in tensors
    if plain:
        shown["shortcut"] = None
    else:
        shown["shortcut"] = "C" if everywhere else "B" if projections else "A"
    if not any(counts):
        return None, shown
    return f"{'' if counts[3] else 'cifar-'}{'plain' if plain else 'resnet'}{depth}", shown
