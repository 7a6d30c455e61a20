"""The protocol between the engine and a device.

The engine owns the loop: which images, in which order, at which learning rate, when to look. A backend owns the device,
the memory format, the arithmetic, compilation or capture, and timing; nobody else knows of these. Another package adds a
backend by naming its class in the entry-point group `rescli.backends`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor, nn

    from rescli.backends.team import Team


@dataclass(frozen=True, kw_only=True)
class Device:
    """What a backend would run on. Memory in bytes."""

    name: str
    memory_total: int
    memory_free: int
    details: Mapping[str, str | int | bool] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Sgd:
    """The optimizer: SGD with momentum and weight decay. `momentum_form` and `decay` are explained in the recipe."""

    momentum: float
    momentum_form: str
    weight_decay: float
    decay: str


@dataclass(frozen=True, kw_only=True)
class Job:
    """A network, its images and how to train it. The backend may move and change the modules it is given.

    `feeds` hold the images of each split ("train", "test", "val") and make a batch of them: called with rows of an epoch's
    plan, a feed returns images [n, 3, H, W] as they enter the network and labels [n]; called with row numbers alone, the
    single original view of these images. `len(feed)` is the number of images. A feed that holds none (photographs are
    decoded on the host as they are needed) gets rows of plans alone, which bring the images; its length is the most of them
    that come together. `sgd` is None where nothing is trained.
    """

    network: nn.Module
    feeds: Mapping[str, nn.Module]
    classes: int
    precision: str
    sgd: Sgd | None = None
    deterministic: bool = False
    threads: int | None = None
    compile: bool | None = None
    """Whether to compile the blocks; None leaves that to the backend."""
    accumulate: int = 1
    """Compute the gradient of a batch in so many parts, one after the other; BN normalizes each by itself."""
    seed: int = 0
    """Of what is random in the network itself: dropout."""
    checkpoint_activations: bool = False
    """Keep the inputs of blocks only and compute the rest again in the backward pass."""
    team: Team | None = None
    """The processes that share every batch, for a backend that is `distributed`; None: one process by itself."""


@dataclass(frozen=True, kw_only=True)
class Totals:
    """Sums over all training steps so far, never reset: the loss over images, wrong predictions, images seen.

    `first_bad` is the first iteration whose loss was not finite, or None.
    """

    loss: float = 0.0
    errors: int = 0
    images: int = 0
    first_bad: int | None = None


@dataclass(frozen=True, kw_only=True)
class Tally:
    """An evaluation: the summed loss, and images and wrong predictions of each class, int64 [classes]."""

    loss: float
    images: npt.NDArray[np.int64]
    errors: npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Look:
    """How scores are made of the views of an image (Sec. 3.4).

    `average` is of "softmax" or of "logits". `pooling` None: each view has the size of the network's input. Otherwise the
    network is fully convolutional, and "windows" of the last map or all of it ("global") are averaged. `mirrored`: the
    mirror image of every view is a view, too.
    """

    average: str = "softmax"
    pooling: str | None = None
    mirrored: bool = False


@dataclass(frozen=True, kw_only=True)
class State:
    """All that a worker must remember to go on exactly, on the host; arrays that the worker will not change."""

    model: Mapping[str, npt.NDArray[Any]]
    momentum: Mapping[str, npt.NDArray[Any]]
    totals: Totals


class Worker(Protocol):
    """A network in training (or evaluation) on a device. Calls need not wait for the device, except where stated."""

    def begin_epoch(self, plan: Sequence[Tensor]) -> None:
        """Take the plan of an epoch, or of one batch: host tensors whose rows go to the training feed.

        They may change after the call.
        """

    def train_step(self, iteration: int, start: int, stop: int, learning_rate: float) -> None:
        """One iteration of SGD on rows `start` to `stop` of the plan."""

    def differentiate(self, start: int, stop: int) -> None:
        """The loss of rows `start` to `stop` of the plan and its gradients, in training mode and without a step.

        For hooks on the network to look at; nothing is kept but what BN keeps of a batch.
        """

    def totals(self) -> Totals:
        """The sums so far. Waits for the device."""

    def average_statistics(self, plans: Iterable[Sequence[Tensor]], stop: Callable[[], bool] = ...) -> bool:
        """Replace BN's moving averages by the true averages over batches, each a plan of its own, as in training mode.

        `stop` is asked between batches; if it said yes nothing has changed, and the answer is False. Waits for the device.
        """

    def evaluate(
        self, split: str, stop: Callable[[], bool] = ..., plans: Iterable[Sequence[Tensor]] | None = None
    ) -> Tally | None:
        """Loss and errors of the single original view of every image. Waits for the device; changes nothing.

        `plans` bring the images where the feed holds none: this process's share of them. `stop` is asked between batches;
        None if it said yes.
        """

    def scores(self, split: str, pixels: npt.NDArray[np.uint8], look: Look) -> npt.NDArray[np.float64]:
        """Scores [n, classes] of images that come from the host, each as its views: uint8 [n, views, 3, H, W].

        Means over views and positions; `feeds[split]` makes inputs of pixels. Waits for the device.
        """

    def state(self) -> State:
        """A copy of everything that training has changed. Waits for the device."""

    def load(self, state: State) -> None:
        """Go on from `state`. Raises `StoreError` where its tensors are not those of this network."""

    def close(self) -> None:
        """Give back what must not outlive the job; nothing else is called after it."""


class Backend(Protocol):
    """A kind of device. Making one is cheap and never fails.

    A class attribute `distributed = True` says that its workers take their share of a batch where a job has a team. A method
    `jpeg_decoder()` names the torch device on which torchvision decodes JPEGs; the workers take plans with pixels there.
    """

    name: ClassVar[str]

    def unavailable(self) -> str | None:
        """Why it does not work here, or None if it does."""

    def device(self) -> Device:
        """What it would run on. Only where it is available."""

    def precision(self, asked: str) -> str:
        """What `auto` means here; else `asked` itself. Raises `BackendError` for what the device cannot do."""

    def start(self, job: Job) -> Worker:
        """Put a job on the device."""
