"""Weights from elsewhere, held against the network they are said to be of. A mismatch is an error, never a wrong answer."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rescli.errors import RescliError, UsageError
from rescli.models.build import Network, bare
from rescli.models.names import describe, network, with_named
from rescli.models.operators import WEIGHTED, operators
from rescli.models.spec import NetworkSpec, Spec
from rescli.models.weights import metadata
from rescli.models.weights.bundle import NORMALIZATIONS, Bundle, Preprocessing
from rescli.models.weights.files import Raw, first, read_file
from rescli.models.weights.layouts import LAYOUTS, Converted, convert, detect, recognized

WORDS = {"padding": "append or both", "stride_in": "1x1 or 3x3", "pool": "padded or ceil"}


def read_weights(
    path: Path,
    *,
    name: str | None = None,
    forks: Mapping[str, Any] | None = None,
    normalize: str | None = None,
    layout: str = "auto",
) -> Bundle:
    """The weights in a .pth, .safetensors, .npz or .h5 file as a network of ours.

    `name` and `forks` are what the user says; what the file or the convention behind its names says must agree. `normalize`
    is a key of `NORMALIZATIONS`, `layout` one of `LAYOUTS`. Raises `DataError` for files that cannot be read,
    `RescliError` where file, convention and user differ, where nobody states a fork that matters, and for missing, extra or
    misshapen tensors.
    """
    assert layout in LAYOUTS, layout
    options = forks or {}
    raw = read_file(path)
    found = _converted(path, raw, layout)
    spec = _Settling(path, found, raw, name, options, with_named(name, options)).spec()
    _compare(path, spec, found)
    return Bundle(
        spec=spec,
        tensors={key: found.tensors[key] for key in shapes(spec)},
        preprocessing=_inputs(path, raw, found, normalize),
        origin={
            **metadata.origin_of(str(path), raw.metadata or {}),
            "file": path.name,
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "layout": found.layout,
            "changed": [*raw.changed, *found.changed],
        },
    )


def module_of(bundle: Bundle) -> Network:
    """The network with its weights, in evaluation mode, on the CPU."""
    net = bare(bundle.spec)
    net.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in bundle.tensors.items()})
    return net.eval()


def shapes(spec: Spec) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a network's tensors: its state_dict, read off its operators."""
    found: dict[str, tuple[int, ...]] = {}
    for operator in operators(spec):
        if operator.kind in WEIGHTED:
            kernel = () if operator.kind == "fc" else (operator.kernel, operator.kernel)
            found[f"{operator.name}.weight"] = (operator.channels, operator.in_channels, *kernel)
            if operator.bias:
                found[f"{operator.name}.bias"] = (operator.channels,)
        elif operator.kind == "bn":
            for part in ("weight", "bias", "running_mean", "running_var"):
                found[f"{operator.name}.{part}"] = (operator.channels,)
    return found


def _converted(path: Path, raw: Raw, layout: str) -> Converted:
    if raw.metadata is None:
        return convert(detect(raw.tensors) if layout == "auto" else layout, raw.tensors)
    if layout not in ("auto", "rescli"):
        raise RescliError(f"{path}: rescli wrote this file, its layout is not {layout}", "Leave --layout out.")
    values = describe(metadata.spec_of(str(path), raw.metadata))
    values.pop("network")
    return Converted(
        layout="rescli",
        tensors=raw.tensors,
        names={key: key for key in raw.tensors},
        stated=values,
        inputs=metadata.inputs_of(str(path), raw.metadata),
    )


@dataclass(frozen=True)
class _Settling:
    """Which network the weights are of, from the tensors, the file, the convention and the user."""

    path: Path
    found: Converted
    raw: Raw
    name: str | None
    options: Mapping[str, Any]
    stated: Mapping[str, Any]
    """By the options, and by those in the name."""

    def spec(self) -> Spec:
        named = self.named()
        plain = named is not None and ("plain" in named)
        shape, shown = recognized(self.found.tensors, plain=plain)
        pooled = False if shape is None else self.pooled(shape)
        if shape is None or pooled is None:
            raise RescliError(
                f"{self.path}: its tensors are of no network known here: {first(self.found.names.values())}",
                "`rescli build --list` shows the networks.",
            )
        if named is not None and network(shape).name != named:
            raise RescliError(f"{self.path}: these weights are of {shape}, not {named}", "Name the right one.")
        sure = self.raw.metadata is not None or self.found.layout in ("cifar", "caffe")
        if named is None and not sure and shown.get("shortcut") == "A":
            raise RescliError(
                f"{self.path}: these tensors fit a residual net with option A and a plain net",
                f"Say which: {shape} or {shape.replace('resnet', 'plain')}.",
            )
        self.agree("its tensors", shown)
        # A plain net has no new channels to pad, whatever the convention says of others.
        stated = {key: value for key, value in self.found.stated.items() if key != "padding" or not plain}
        self.agree("the file or its layout", stated, only_a_convention=self.raw.metadata is None)
        forks = {**shown, **stated, **self.stated}
        if pooled and "conv1.bias" in self.found.tensors:
            forks["stem_bias"] = True
        spec = network(named or shape, **{key: value for key, value in forks.items() if value is not None})
        self.all_stated(spec, forks)
        return spec

    def pooled(self, shape: str) -> bool | None:
        """Whether the net of that name pools behind its first layer; None where there is none, or not with four stages."""
        try:
            spec = network(shape)
        except UsageError:  # about a name that nobody gave
            return None
        if not isinstance(spec, NetworkSpec):
            return False
        pooled = spec.for_photographs
        return pooled if pooled == any(name.startswith("layer4.") for name in self.found.tensors) else None

    def named(self) -> str | None:
        """The network's name as the user, or else our own metadata, says it."""
        said = None if self.name is None else network(self.name).name
        if self.raw.metadata is None:
            return said
        stored = metadata.spec_of(str(self.path), self.raw.metadata).name
        if said not in (None, stored):
            raise RescliError(f"{self.path}: these weights are of {stored}, not {said}", "Name the right one.")
        return stored

    def agree(self, source: str, values: Mapping[str, Any], *, only_a_convention: bool = False) -> None:
        """Raises `RescliError` where the user says otherwise, who may know better than `only_a_convention`."""
        own_risk = " Or take the risk: --layout rescli." if only_a_convention else ""
        for key, value in values.items():
            if key in self.stated and self.stated[key] != value:
                given = self.options.get(key) is not None
                said = f"Leave --{key.replace('_', '-')} out." if given else f"Name the right one, not {self.name}."
                raise RescliError(
                    f"{self.path}: {source} say {key} = {value}, not {self.stated[key]}",
                    f"Weights of another graph give wrong answers in silence. {said}{own_risk}",
                )

    def all_stated(self, spec: Spec, forks: Mapping[str, Any]) -> None:
        if not isinstance(spec, NetworkSpec):
            return
        for key, value in (("stride_in", spec.stride_in), ("padding", spec.padding), ("pool", spec.stem.pool)):
            if value is not None and forks.get(key) is None:
                raise RescliError(
                    f"{self.path}: nothing says which {key} these weights were trained with, and it matters",
                    f"Say it: --{key.replace('_', '-')} {WORDS[key]}.",
                )


def _compare(path: Path, spec: Spec, found: Converted) -> None:
    """Every tensor there, none too many, each of its shape."""
    wanted = shapes(spec)
    missing = [key for key in wanted if key not in found.tensors]
    extra = [found.names.get(key, key) for key in found.tensors if key not in wanted]
    if missing or extra:
        parts = [f"missing {first(missing)}"] if missing else []
        parts += [f"not known {first(extra)}"] if extra else []
        raise RescliError(
            f"{path}: these are not the tensors of {spec.name}: {'; '.join(parts)}", "Name the right network."
        )
    for key, shape in wanted.items():
        if found.tensors[key].shape != shape:
            there = list(found.tensors[key].shape)
            raise RescliError(
                f"{path}: {found.names.get(key, key)} has the shape {there}, {spec.name}'s is {list(shape)}",
                "Name the right network.",
            )


def _inputs(path: Path, raw: Raw, found: Converted, normalize: str | None) -> Preprocessing | None:
    """The normalization. A file's own word stands; a mere convention gives way to the user's."""
    if normalize is None:
        return found.inputs
    chosen = NORMALIZATIONS[normalize]
    if raw.metadata is not None and found.inputs is not None and found.inputs.source != chosen.source:
        raise RescliError(
            f"{path}: these weights were made for inputs normalized by {found.inputs.source}, not {normalize}",
            "Leave --normalize out.",
        )
    return chosen
