"""From a name and its options to a spec, and back: the one door to every network of the paper. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from rescli.errors import UsageError
from rescli.models.cifar import ALSO_IMAGENET, PAPER_DEPTHS, cifar_name, cifar_spec, nearest
from rescli.models.imagenet import BLOCKS, BOTTLENECK_FROM, VGG, imagenet_spec, vgg_spec
from rescli.models.spec import NetworkSpec, Padding, Pool, Shortcut, Spec, StrideIn, VggSpec

_NAME = re.compile(
    r"(?:(?P<data>cifar100|cifar10|cifar|imagenet)-?)?"
    r"(?P<family>plain|resnet|vgg)(?:net)?-?(?P<depth>\d{1,18})"
    r"(?:-?(?P<option>[abc]))?(?:-?(?P<version>v1\.5|v1))?"
    r"(?:-?(?P<behind>cifar100|cifar10|cifar|imagenet))?"
)


def names() -> tuple[str, ...]:
    """The names of the paper's networks, ImageNet first; CIFAR nets exist at every other depth 6n+2, too."""
    imagenet = [f"{family}{depth}" for family in ("plain", "resnet") for depth in BLOCKS]
    cifar = [cifar_name(depth, plain=plain) for plain in (True, False) for depth in PAPER_DEPTHS]
    return (*imagenet, *(f"vgg{depth}" for depth in VGG), *cifar)


def completions() -> Iterator[str]:
    """What a shell may offer: the names, and the CIFAR nets once more with `cifar-` in front."""
    yield from names()
    for plain in (True, False):
        yield from (
            f"cifar-{'plain' if plain else 'resnet'}{depth}" for depth in sorted((*PAPER_DEPTHS, *ALSO_IMAGENET))
        )


def network(
    name: str,
    *,
    shortcut: Shortcut | None = None,
    stride_in: StrideIn | None = None,
    padding: Padding | None = None,
    pool: Pool | None = None,
    stem_bias: bool | None = None,
    classes: int | None = None,
    input_size: int | None = None,
) -> Spec:
    """The network called `name`; None for an option stands for the paper's choice.

    Upper case, `-` and `_` do not matter: `ResNet-50`, `cifar10_resnet56`, `resnet34-b`, `resnet50-v1.5`. Raises `UsageError`
    with suggestions for an unknown name, and for an option that has no effect on this network.
    """
    found = _parts(name)
    if found is None:
        raise _unknown(name)
    family, depth = found["family"], int(found["depth"])
    data = found["data"] or found["behind"] or ""
    said = with_named(name, {"shortcut": shortcut, "stride_in": stride_in, "classes": classes})
    shortcut, classes = said.get("shortcut"), said.get("classes")
    options: dict[str, Any] = {
        "shortcut": shortcut,
        "stride_in": said.get("stride_in"),
        "padding": padding,
        "pool": pool,
        "stem_bias": stem_bias,
    }
    shape: dict[str, Any] = {
        key: value for key, value in (("classes", classes), ("size", input_size)) if value is not None
    }
    if family == "vgg":
        if depth not in VGG or data.startswith("cifar"):
            raise _unknown(name)
        _no_effect(name, "has neither BN nor shortcuts", options, set(options))
        return vgg_spec(depth, **shape)
    plain = family == "plain"
    if plain:
        _no_effect(name, "is a plain net, without shortcuts", options, {"shortcut", "padding"})
    if shortcut in ("B", "C"):
        _no_effect(name, f"has projections (option {shortcut})", options, {"padding"})
    if depth in BLOCKS and not data.startswith("cifar"):
        return _imagenet(name, depth, plain, options, shape)
    if data == "imagenet" or depth < 8 or (depth - 2) % 6:
        raise _no_such_depth(name, family, depth, imagenet_only=data == "imagenet")
    _no_effect(name, "is a CIFAR net: no bottlenecks and no pooling", options, {"stride_in", "pool", "stem_bias"})
    return cifar_spec(depth, shortcut=None if plain else shortcut or "A", padding=padding, **shape)


def is_name(text: str) -> bool:
    """Whether `text` is built like the name of a network, `resnet50-v1.5`, whether or not there is one of that depth."""
    return _parts(text) is not None


def _parts(name: str) -> re.Match[str] | None:
    return _NAME.fullmatch(re.sub(r"[\s_/]+", "-", name.strip().lower()))


def with_named(name: str | None, stated: Mapping[str, Any]) -> dict[str, Any]:
    """The options `stated`, and those that the name says: `resnet50-v1`, `resnet34-b`, `cifar100-resnet20`.

    Raises `UsageError` where they differ.
    """
    options = {key: value for key, value in stated.items() if value is not None}
    found = None if name is None else _parts(name)
    if name is None or found is None:
        return options
    if found["option"]:
        options["shortcut"] = _agree(name, "shortcut", options.get("shortcut"), found["option"].upper())
    if found["version"]:
        version = "3x3" if found["version"] == "v1.5" else "1x1"
        options["stride_in"] = _agree(name, "stride_in", options.get("stride_in"), version)
    if "cifar100" in (found["data"], found["behind"]):
        options.setdefault("classes", 100)
    return options


def _imagenet(name: str, depth: int, plain: bool, options: dict[str, Any], shape: dict[str, Any]) -> NetworkSpec:
    if depth < BOTTLENECK_FROM:
        _no_effect(name, "has no bottlenecks", options, {"stride_in"})
    spec = imagenet_spec(depth, plain=plain, **{k: v for k, v in options.items() if v is not None}, **shape)
    if spec.shortcut != "A":
        _no_effect(name, f"has projections (option {spec.shortcut})", options, {"padding"})
    return spec


def describe(spec: Spec) -> dict[str, Any]:
    """The name and every fork, as plain JSON values that stand beside weights; None where a fork does not exist."""
    net = spec if isinstance(spec, NetworkSpec) else None
    return {
        "network": spec.name,
        "shortcut": net.shortcut if net else None,
        "stride_in": net.stride_in if net else None,
        "padding": net.padding if net else None,
        "pool": net.stem.pool if net else None,
        "stem_bias": net.stem.bias if net and net.stem.pool else None,
        "classes": spec.classes,
        "input_size": spec.input_size,
    }


def described(values: Mapping[str, Any]) -> Spec:
    """Of `describe`'s values. Raises `UsageError` where they make no sense."""
    known = {"network", "shortcut", "stride_in", "padding", "pool", "stem_bias", "classes", "input_size"}
    if not isinstance(values, Mapping) or not set(values) <= known or not isinstance(values.get("network"), str):
        raise UsageError("that is no description of a network")
    allowed: dict[str, tuple[Any, ...]] = {
        "shortcut": (None, "A", "B", "C"),
        "stride_in": (None, "1x1", "3x3"),
        "padding": (None, "append", "both"),
        "pool": (None, "padded", "ceil"),
        "stem_bias": (None, True, False),
    }
    for key, choices in allowed.items():
        if values.get(key) not in choices:
            raise UsageError(f"the description of a network has {key} = {values[key]!r}")
    for key in ("classes", "input_size"):
        value = values.get(key)
        if value is not None and (type(value) is not int or not 1 <= value <= 1_000_000):
            raise UsageError(f"the description of a network has {key} = {value!r}")
    return network(values["network"], **{key: value for key, value in values.items() if key != "network"})


def title(spec: Spec) -> str:
    """Name and forks in words: "resnet50 (option B, stride in 1x1)". What a fork cannot change is left out."""
    if isinstance(spec, VggSpec) or (spec.plain and not spec.bottleneck):
        return spec.name
    parts = [f"option {spec.shortcut}"] if spec.shortcut else []
    if spec.stride_in:
        parts.append(f"stride in {spec.stride_in}")
    if spec.padding == "both":
        parts.append("padded on both sides")
    if spec.stem.pool == "ceil":
        parts.append("pooling rounds up")
    return f"{spec.name} ({', '.join(parts)})"


def label(spec: Spec) -> str:
    """As the figures of the paper name a net: plain-56, ResNet-110, with its option where that is not the usual one."""
    if not isinstance(spec, NetworkSpec):
        return f"VGG-{spec.depth}"
    if spec.plain:
        return f"plain-{spec.depth}"
    usual = "B" if spec.bottleneck else "A"
    return f"ResNet-{spec.depth}" + ("" if spec.shortcut == usual else f" ({spec.shortcut})")


def _agree(name: str, option: str, given: Any, named: str) -> Any:
    if given is not None and given != named:
        raise UsageError(f"{name} says {option} = {named}, the option {given}", "Leave one of the two out.")
    return named


def _no_effect(name: str, why: str, options: Mapping[str, Any], without: set[str]) -> None:
    for option in sorted(without):
        if options[option] is not None:
            spelled = f"--{option.replace('_', '-')}"
            raise UsageError(f"{name} {why}, so {spelled} has no effect", "Leave it out.")


def _unknown(name: str) -> UsageError:
    simple = re.sub(r"[\s_/-]+", "", name.strip().lower())
    similar = get_close_matches(simple, {known.replace("-", ""): known for known in completions()}, n=3, cutoff=0.6)
    spelled = {known.replace("-", ""): known for known in completions()}
    meant = f"Did you mean {' or '.join(spelled[one] for one in similar)}? " if similar else ""
    return UsageError(f"no network is called {name!r}", f"{meant}`rescli build --list` shows them all.")


def _no_such_depth(name: str, family: str, depth: int, *, imagenet_only: bool) -> UsageError:
    table1 = ", ".join(str(one) for one in BLOCKS)
    if imagenet_only or depth > 10_000:
        return UsageError(f"no network is called {name!r}", f"The ImageNet nets have {table1} layers.")
    near = " or ".join(cifar_name(one, plain=family == "plain") for one in nearest(depth))
    return UsageError(
        f"no network is called {name!r}: ImageNet nets have {table1} layers, CIFAR nets 6n+2",
        f"Did you mean {near}? `rescli build --list` shows them all.",
    )
