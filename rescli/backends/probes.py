"""Looking at a network while a worker runs it: moments of layers' outputs, and norms of gradients.

Both are hooks on modules and know nothing of the backend: they follow the tensors wherever these are, and the sums stay
there until somebody reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True, eq=False)
class Moments:
    """Of each channel of a layer's output: how many values, their mean, and the sum of squared deviations from it, float64."""

    count: int
    mean: npt.NDArray[np.float64]
    squares: npt.NDArray[np.float64]

    def pooled(self) -> tuple[float, float]:
        """Mean and standard deviation over all values, channels pooled (each has the same number of values)."""
        mean = float(self.mean.mean())
        squares = float((self.squares + self.count * (self.mean - mean) ** 2).sum())
        return mean, (squares / (self.count * len(self.mean))) ** 0.5

    def by_channel(self) -> npt.NDArray[np.float64]:
        """The standard deviation of every channel."""
        return np.sqrt(self.squares / self.count)


class _Meter:
    """Moments in one pass: each batch has its own, and Chan's formula puts them together. float64 throughout."""

    def __init__(self) -> None:
        self.count = 0
        self.mean: Tensor | None = None
        self.squares: Tensor | None = None

    def add(self, x: Tensor) -> None:
        """A batch [N, C, H, W] (or [N, C])."""
        # Rows of channels: for channels-last maps that is the order in memory.
        rows = x.detach().movedim(1, -1).reshape(-1, x.shape[1]).to(torch.float64, copy=True)
        mean = rows.mean(0)
        squares = rows.sub_(mean).square_().sum(0)
        count = len(rows)
        if self.mean is None or self.squares is None:
            self.count, self.mean, self.squares = count, mean, squares
            return
        total = self.count + count
        delta = mean - self.mean
        self.mean = self.mean + delta * (count / total)
        self.squares = self.squares + squares + delta.square() * (self.count * count / total)
        self.count = total

    def read(self) -> Moments:
        assert self.mean is not None, "nothing was measured"
        assert self.squares is not None
        return Moments(count=self.count, mean=self.mean.cpu().numpy(), squares=self.squares.cpu().numpy())


class ResponseProbe:
    """Moments of the outputs of modules, over every image that the network sees from now on.

    A hook looks at an output the moment it is made: what follows may overwrite it.
    """

    def __init__(self, network: nn.Module, modules: Sequence[str]) -> None:
        self._meters = {name: _Meter() for name in modules}
        for name, meter in self._meters.items():
            network.get_submodule(name).register_forward_hook(_forward(meter))

    def read(self) -> dict[str, Moments]:
        """By module. Waits for the device."""
        return {name: meter.read() for name, meter in self._meters.items()}


def _forward(meter: _Meter) -> Callable[..., None]:
    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        meter.add(output)

    return hook


class GradientProbe:
    """Euclidean norms of the gradient with respect to weights and to outputs, one number for each backward pass.

    `weights` and `outputs` name modules; the output's gradient is that before anything overwrites it.
    """

    def __init__(self, network: nn.Module, weights: Sequence[str], outputs: Sequence[str]) -> None:
        self._weights: dict[str, list[Tensor]] = {name: [] for name in weights}
        self._outputs: dict[str, list[Tensor]] = {name: [] for name in outputs}
        for name, norms in self._weights.items():
            weight = network.get_submodule(name).weight
            assert isinstance(weight, Tensor)
            weight.register_hook(_norm_into(norms))  # type: ignore[no-untyped-call]
        for name, norms in self._outputs.items():
            network.get_submodule(name).register_forward_hook(_backward(norms))

    def read(self) -> tuple[dict[str, npt.NDArray[np.float64]], dict[str, npt.NDArray[np.float64]]]:
        """Norms by module, float64 [passes]: of the weights and of the outputs. Waits for the device."""
        return _arrays(self._weights), _arrays(self._outputs)


def _norm_into(norms: list[Tensor]) -> Callable[[Tensor], None]:
    def hook(gradient: Tensor) -> None:
        norms.append(gradient.double().norm())

    return hook


def _backward(norms: list[Tensor]) -> Callable[..., None]:
    def hook(_module: nn.Module, _inputs: Any, output: Tensor) -> None:
        if output.requires_grad:
            output.register_hook(_norm_into(norms))  # type: ignore[no-untyped-call]

    return hook


def _arrays(norms: Mapping[str, list[Tensor]]) -> dict[str, npt.NDArray[np.float64]]:
    return {name: torch.stack(values).cpu().numpy() for name, values in norms.items()}
