"""Any `nn.Module` counted by running it once on meta tensors: shapes without numbers, so no weights are allocated.

Multiply-adds are by the formulas of torch.utils.flop_counter, halved; whatever else runs is listed as not counted.
"""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager, redirect_stdout
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torch.utils.module_tracker import ModuleTracker

from rescli.errors import RescliError, UsageError

SHORT = {"torchvision": "torchvision.models"}
FREE = {
    *("view", "reshape", "permute", "transpose", "t", "detach", "expand", "unsqueeze", "squeeze"),
    *("slice", "select", "alias", "flatten", "clone", "empty", "zeros", "ones", "full"),
    *("arange", "split", "chunk", "unbind", "contiguous", "_to_copy", "_unsafe_view", "as_strided", "dropout"),
    *("copy_", "lift_fresh", "native_dropout"),
}
"""Move numbers or drop them, and compute none."""


@dataclass(frozen=True, kw_only=True)
class TracedOperator:
    """A counted call: `name` is the path of the module it ran in, `shape` its output for one image, `macs` for one image."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int
    macs: int

    @property
    def outputs(self) -> int:
        """Number of output values."""
        return math.prod(self.shape)


@dataclass(frozen=True, kw_only=True)
class Traced:
    """A module for one image. `not_counted` maps operators that were met and have no formula to how often."""

    title: str
    parameters: int
    rows: tuple[TracedOperator, ...]
    not_counted: Mapping[str, int]


def load_module(target: str) -> nn.Module:
    """The module that `target` names: "torchvision:resnet50", or "my_pkg.nets:make_net" (a callable, a class, or a module).

    It is made on the meta device, so nothing is allocated or initialized. Raises `UsageError` for a name that is not there, and
    `RescliError` where making it fails.
    """
    package, _, attribute = target.partition(":")
    if not all(part.isidentifier() for part in [*package.split("."), attribute]):
        raise UsageError(f"{target}: not the name of a module and what it holds", "Give package.module:callable.")
    if os.curdir not in sys.path and os.getcwd() not in sys.path:  # noqa: PTH109 - as `python -m` does
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        with _speaking_aside():
            library = importlib.import_module(SHORT.get(package, package))
            made = getattr(library, attribute, None)  # which some packages import only now
    except ImportError as error:
        raise UsageError(
            f"{target}: {package!r} cannot be imported: {error}", "Give package.module:callable."
        ) from error
    except (Exception, SystemExit) as error:
        raise RescliError(
            f"{target}: importing {package} failed: {type(error).__name__}: {error}",
            "Does it import by itself?",
        ) from error
    if made is None:
        near = get_close_matches(attribute, dir(library), n=2)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Give package.module:callable."
        raise UsageError(f"{target}: {package} has no {attribute!r}", hint)
    try:
        with torch.device("meta"), _speaking_aside():
            net = made if isinstance(made, nn.Module) else made()
    except (Exception, SystemExit) as error:
        raise RescliError(f"{target}: making it failed: {type(error).__name__}: {error}", _WAY) from error
    if not isinstance(net, nn.Module):
        raise UsageError(f"{target} is a {type(net).__name__}, not an nn.Module", "Name a function that makes one.")
    return net.to("meta")


_WAY = "It must be made without arguments, and run without looking at values: tensors have shapes here, but no numbers."


def _speaking_aside() -> AbstractContextManager[Any]:
    """What somebody's module prints is none of the command's output."""
    return redirect_stdout(sys.stderr)


def trace(net: nn.Module, *, title: str, input_size: int) -> Traced:
    """Run `net` on one RGB image of `input_size` pixels, without numbers. Raises `RescliError` where that fails."""
    counter = _Counter(net)
    x = torch.empty(1, 3, input_size, input_size, device="meta")
    try:
        with torch.no_grad(), counter.modules, counter, _speaking_aside():
            net.eval()(x)
    except (Exception, SystemExit) as error:
        text = (str(error) or type(error).__name__).splitlines()[0]
        raise RescliError(
            f"{title}: fails on an image of {input_size} pixels: {text}", f"Try --input. {_WAY}"
        ) from error
    return Traced(
        title=title,
        parameters=sum(parameter.numel() for parameter in net.parameters()),
        rows=tuple(counter.rows),
        not_counted=dict(sorted(counter.others.items())),
    )


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts what runs, and in which module."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.modules = ModuleTracker()
        self.rows: list[TracedOperator] = []
        self.others: Counter[str] = Counter()
        self.owned = {name: sum(p.numel() for p in m.parameters(recurse=False)) for name, m in net.named_modules()}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        packet = func._overloadpacket
        word = packet.__name__
        if packet in flop_registry:
            flops = flop_registry[packet](*args, **kwargs, out_val=out)
            place = self._place()
            shape = tuple(out.shape[1:]) if isinstance(out, torch.Tensor) else ()
            self.rows.append(
                TracedOperator(
                    name=place,
                    kind=_kind(word, args),
                    shape=shape,
                    parameters=self.owned.pop(place, 0),
                    macs=flops // 2,
                )
            )
        elif word.rstrip("_") not in FREE and word not in FREE:
            self.others[word] += 1
        return out

    def _place(self) -> str:
        """The innermost module that runs now, as named_modules calls it."""
        inner = max(self.modules.parents - {"Global"}, key=len, default="")
        return inner.partition(".")[2]


def _kind(word: str, args: Any) -> str:
    if "convolution" in word:
        return f"conv {'x'.join(str(side) for side in args[1].shape[2:])}"
    return {"addmm": "fc", "mm": "matmul", "bmm": "matmul", "baddbmm": "matmul"}.get(word, word)
