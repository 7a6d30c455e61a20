"""What the training of every net here has in common: SGD for so many iterations, and the forks between implementations."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, TypeVar

from rescli.errors import UsageError
from rescli.models.spec import Shortcut, Spec
from rescli.recipes.schedule import Schedule

Precision: TypeAlias = Literal["auto", "fp32", "tf32", "bf16"]
MomentumForm: TypeAlias = Literal["pytorch", "caffe"]
Decay: TypeAlias = Literal["all", "conv"]
R = TypeVar("R", bound="Recipe")

MAX_SEED = 2**63 - 1
LARGEST = 1e38
"""Of a number that becomes one in fp32."""


@dataclass(frozen=True, kw_only=True)
class Recipe(ABC):
    """The training of one net. None means "decided by the rest", see `resolved`.

    Two runs with equal resolved recipes are the same experiment; seeds count as part of it here.
    Raises `UsageError` when made with values that make no sense, or that would have no effect.
    """

    dataset: str
    shortcut: Shortcut | None = None
    """None: the net's usual one; none for a plain net."""
    seed: int = 0

    iterations: int
    batch_size: int
    learning_rate: float = 0.1
    lr_divisor: float = 10.0
    """What divides the learning rate where it falls."""
    momentum: float = 0.9
    momentum_form: MomentumForm = "pytorch"
    """What a change of the learning rate does to the momentum buffer. pytorch: v = m v + g, w -= lr v. caffe (the paper's
    framework): v = m v + lr g, w -= v."""
    weight_decay: float = 1e-4
    decay: Decay = "all"
    """Which parameters decay: all, or the weights of convolutions only."""

    bn_images: int | None = None
    """BN statistics are over so many images of a batch: 64 on the paper's two GPUs. None: the whole batch."""
    augment: bool = True
    """Whether training images are cropped, mirrored and so on as the paper says."""
    precision: Precision = "auto"
    """Of the convolutions' arithmetic; weights, BN statistics and the optimizer are always fp32. auto: the backend's choice."""

    eval_every: int | None = None
    """Iterations between evaluations. None: a fixed part of the run, at least 500."""
    log_every: int | None = None
    """Iterations averaged into one row of the training metrics. None: 1/640 of the run, at least 10."""

    def __post_init__(self) -> None:
        check_numbers(self)
        check_choices(self)

    @property
    @abstractmethod
    def depth(self) -> int:
        """Number of weighted layers."""

    @property
    @abstractmethod
    def plain(self) -> bool:
        """Whether the net has no shortcuts."""

    @property
    @abstractmethod
    def tested(self) -> str:
        """The split that is evaluated on the way: "test" or "val"."""

    @abstractmethod
    def spec(self, *, classes: int) -> Spec:
        """The network to train."""

    @abstractmethod
    def schedule(self) -> Schedule:
        """The learning rate of every iteration."""

    @abstractmethod
    def resolved(self: R) -> R:
        """The same recipe with every None and `auto` that does not need a device decided."""

    @property
    def warms_up(self) -> bool:
        """Whether the run starts with the warm-up rule."""
        return False

    @property
    def bn_groups(self) -> int:
        """Number of groups of images that BN normalizes on their own."""
        return 1 if self.bn_images is None else self.batch_size // self.bn_images

    @property
    def batches_for_statistics(self) -> int:
        """Over how many batches BN's statistics are averaged after the last iteration; 0: the moving averages stay."""
        return 0

    def every(self, evaluations: int) -> dict[str, Any]:
        """How often to evaluate and to log, decided: `evaluations` of a long run."""
        return {
            "eval_every": self.eval_every or min(self.iterations, max(500, self.iterations // evaluations)),
            "log_every": self.log_every or min(self.iterations, max(10, self.iterations // 640)),
        }

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values, the net first; None where an option does not apply (the shortcut of a plain net)."""
        common = {field.name for field in fields(Recipe)} - {"dataset"}
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        own = {name: value for name, value in values.items() if name not in common}
        return {**own, **{name: value for name, value in values.items() if name in common}}

    @classmethod
    def from_dict(cls: type[R], values: Mapping[str, Any]) -> R:
        """Of `to_dict`'s values. Raises `UsageError` for unknown keys and impossible values."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values) - known)
        if unknown:
            raise UsageError(f"unknown recipe keys: {', '.join(unknown)}", f"Known: {', '.join(sorted(known))}.")
        plain: dict[str, Any] = {k: tuple(value) if isinstance(value, list) else value for k, value in values.items()}
        return cls(**plain)


def require(recipe: Recipe, ok: bool, name: str, rule: str) -> None:
    """Raises `UsageError` where the value called `name` breaks a rule."""
    if not ok:
        raise UsageError(f"{name} = {getattr(recipe, name)!r}: {rule}")


def check_numbers(recipe: Recipe) -> None:
    """Raises `UsageError` for numbers that no training can have."""

    def check(ok: bool, name: str, rule: str) -> None:
        require(recipe, ok, name, rule)

    check(recipe.iterations >= 1, "iterations", "must be at least 1")
    check(recipe.batch_size >= 2, "batch_size", "must be at least 2 (BN needs more than one image)")
    check(0 <= recipe.seed <= MAX_SEED, "seed", "must be between 0 and 2^63 - 1")
    check(0 < recipe.learning_rate <= LARGEST, "learning_rate", f"must be positive and at most {LARGEST:g}")
    check(1 < recipe.lr_divisor < float("inf"), "lr_divisor", "must be more than 1 and finite")
    check(0 <= recipe.momentum < 1, "momentum", "must be in [0, 1)")
    check(0 <= recipe.weight_decay <= LARGEST, "weight_decay", f"must be between 0 and {LARGEST:g}")
    for name in ("eval_every", "log_every"):
        check(getattr(recipe, name) is None or getattr(recipe, name) >= 1, name, "must be at least 1 iteration")
    if recipe.bn_images is not None:
        fits = 1 <= recipe.bn_images <= recipe.batch_size and recipe.batch_size % recipe.bn_images == 0
        check(fits, "bn_images", f"must divide the batch of {recipe.batch_size} images")


def check_milestones(recipe: Recipe, milestones: tuple[float, ...]) -> None:
    """Raises `UsageError` unless they are rising fractions of a run."""
    ordered = list(milestones) == sorted(set(milestones))
    within = all(0 < milestone < 1 for milestone in milestones)
    require(recipe, ordered and within, "milestones", "must be rising fractions of the run in (0, 1)")


def check_choices(recipe: Recipe) -> None:
    """Raises `UsageError` for unknown words and options without effect."""
    for name, choices in {
        "shortcut": (None, "A", "B", "C"),
        "momentum_form": ("pytorch", "caffe"),
        "decay": ("all", "conv"),
        "precision": ("auto", "fp32", "tf32", "bf16"),
    }.items():
        if getattr(recipe, name) not in choices:
            listed = ", ".join(str(choice) for choice in choices if choice is not None)
            raise UsageError(f"{name} = {getattr(recipe, name)!r}: must be one of {listed}")
    if recipe.momentum == 0 and recipe.momentum_form == "caffe":
        raise UsageError("without momentum its form has no effect", "Leave momentum_form out.")
    if recipe.weight_decay == 0 and recipe.decay != "all":
        raise UsageError("without weight decay it has no effect which parameters decay", "Leave decay out.")
